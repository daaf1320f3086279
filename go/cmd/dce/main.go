// Command dce is for people: it runs a compose file as a Mesos task on this machine. It decides nothing about a pod;
// dce-executor does, under an embedded agent.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

// The exit codes.
const (
	exitFailed   = 1
	exitBadInput = 2
)

// exitError is an error that says with which code to exit.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func badInput(format string, args ...any) error {
	return &exitError{exitBadInput, fmt.Errorf(format, args...)}
}

// failed makes of an error without a code one that exits with exitFailed.
func failed(err error) error {
	var coded *exitError
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return &exitError{exitFailed, err}
}

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// execute runs the command line and returns the exit code. What cobra itself refuses is bad input.
func execute(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use: "dce", Short: "Run compose files as Mesos tasks",
		SilenceUsage: true, SilenceErrors: true, CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Version: version, Args: noCommand, RunE: func(cmd *cobra.Command, _ []string) error { return failed(cmd.Help()) },
	}
	root.SetVersionTemplate(versionLine())
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpCommand(helpCommand(root))
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(runCommand(), psCommand(), reapCommand(), doctorCommand(), versionCommand())
	err := root.Execute()
	if err == nil {
		return 0
	}
	var coded *exitError
	if !errors.As(err, &coded) {
		coded = &exitError{exitBadInput, nil}
	}
	// A line for each of several errors that were joined.
	for line := range strings.Lines(err.Error()) {
		_, _ = fmt.Fprintln(stderr, "dce:", strings.TrimRight(line, "\n"))
	}
	return coded.code
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), versionLine())
			return failed(err)
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("dce %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
