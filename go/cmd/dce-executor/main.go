// Command dce-executor is what a Mesos agent starts for a task: it runs the task's compose file as a pod. It reads its
// environment, speaks to the agent through package executor, and leaves pods to package launch. It decides nothing itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/executor"
	"github.com/dce-go/dce/go/launch"
)

// version is set by the linker.
var version = "dev"

// closeTimeout bounds what is put in order after the last task: the agent waits for the executor's end.
const closeTimeout = 2 * time.Second

// The exit codes. Mesos goes by the updates of the tasks, these are for people.
const (
	exitFailed   = 1 // the agent was lost, or refused the executor
	exitBadInput = 2 // the command line or the environment makes no sense
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

func run(args, environ []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("dce-executor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	show := flags.Bool("version", false, "print the version")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitBadInput
	case *show:
		_, _ = fmt.Fprintf(stdout, "dce-executor %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return 0
	}

	cfg, err := executor.FromEnviron(environ)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitBadInput
	}
	// No program that a pod needs may inherit the token.
	if err := os.Unsetenv(executor.TokenVar); err != nil {
		_, _ = fmt.Fprintf(stderr, "Can't take %s out of the environment: %v.\n", executor.TokenVar, err)
		return exitFailed
	}
	log := newLogger(cfg.Environment, stderr)
	log.WithFields(logrus.Fields{"version": version, "executor": cfg.Environment.ExecutorID}).Info("dce-executor begins.")
	if flags.NArg() > 0 { // a framework's command is put behind ours
		log.WithField("arguments", flags.Args()).Warn("Arguments mean nothing to dce-executor; they are ignored.")
	}
	beLean(environ)
	defer toggleDebug(log)()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // a second signal ends the process at once

	launcher := launch.New(launch.Options{Version: version, Stdout: stdout, Log: log})
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		launcher.Close(ctx)
	}()
	if err := executor.Run(ctx, cfg, launcher, log); err != nil {
		log.WithError(err).Error("dce-executor ends.")
		return exitFailed
	}
	log.Info("dce-executor ends.")
	return 0
}

// newLogger reads log.level and log.format from the host's and the task's files and the environment. What is wrong with the
// rest of them is said to the framework when a task comes, as a task's labels belong to the settings.
func newLogger(env executor.Environment, stderr io.Writer) *logrus.Logger {
	settings, _ := config.Load(config.Input{Files: config.DefaultFiles(env.Sandbox), Environ: env.Variables})
	log := logrus.New()
	log.SetOutput(stderr)
	if settings.Log.Format == "json" {
		log.SetFormatter(&logrus.JSONFormatter{})
	} else {
		log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: "2006-01-02T15:04:05.000Z07:00"})
	}
	if level, err := logrus.ParseLevel(settings.Log.Level); err == nil {
		log.SetLevel(level)
	}
	adopt(logrus.StandardLogger(), log)
	return log
}

// adopt makes a logger write as another does. compose-go warns through logrus' global one.
func adopt(global, log *logrus.Logger) {
	global.SetOutput(log.Out)
	global.SetFormatter(log.Formatter)
	global.SetLevel(log.GetLevel())
}

// toggleDebug switches debug logging on and off at every SIGUSR1. It returns what ends that.
func toggleDebug(log *logrus.Logger) func() {
	standard := log.GetLevel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		for range signals {
			if level := log.GetLevel(); level == logrus.DebugLevel && standard != logrus.DebugLevel {
				log.SetLevel(standard)
			} else {
				log.SetLevel(logrus.DebugLevel)
			}
			log.WithField("level", log.GetLevel().String()).Warn("The level of the log was changed by SIGUSR1.")
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// The executor lives in its pod's own memory limit, which may be as low as 24 MB, and each MB of it is one that the containers
// lack. So garbage is collected at half of Go's usual growth, and harder the nearer all of Go's memory comes to softLimit;
// what a limit of 24 MB leaves above it is for the pages of the binary, which the kernel can drop. Collecting costs little:
// an idle executor allocates next to nothing. Who sets GOGC or GOMEMLIMIT knows better.
const (
	gcPercent = 50
	softLimit = 16 << 20
)

func beLean(environ []string) {
	set := func(name string) bool {
		return slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	if !set("GOGC") {
		debug.SetGCPercent(gcPercent)
	}
	if !set("GOMEMLIMIT") {
		debug.SetMemoryLimit(softLimit)
	}
}
