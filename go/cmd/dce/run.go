package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
)

const runHelp = `Run a compose file as a Mesos task, on this machine and without a Mesos.

An embedded agent makes a sandbox and a cgroup with the task's limits, starts
dce-executor in it exactly as a Mesos agent would, and relays what it reports.
The output of the services goes to stdout, the progress to stderr.

Files: the directory of the first -f file (without -f: the one that holds
compose.yaml or docker-compose.yml, here or above) is copied into the sandbox
as it is, with modes and symbolic links, but without .git. All -f files, .env,
env_file and relative bind mounts have to be in it, as they would have to be
fetched into the sandbox of a real task.

Ports: published ports get the offered host ports in the order of the file.

Environment: the executor, and with it the interpolation of the file, sees
PATH, HOME, DOCKER_*, DCE_* and what --env gives; what is in .env counts too.

Ctrl-C kills the task and waits for its end; a second one leaves its services
no time, a third one kills everything at once.

Exit code: 0 when the task finished, or was killed by Ctrl-C or --timeout;
1 when it failed or could not be run; 2 for bad input.`

// runFlags is what the user asked for.
type runFlags struct {
	files     []string
	cpus      float64
	mem       string
	ports     string
	job       bool
	keep      bool
	verbose   bool
	timeout   time.Duration
	labels    []string
	env       []string
	name      string
	executor  string
	workDir   string
	copyLimit string
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run", Short: "Run a compose file as a Mesos task on this machine", Long: runHelp, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signals := make(chan os.Signal, 8)
			signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer signal.Stop(signals)
			// A pipe that nobody reads any more is an error of a write then, and not the end of dce in the midst of its work.
			broken := make(chan os.Signal, 1)
			signal.Notify(broken, syscall.SIGPIPE)
			defer signal.Stop(broken)
			return failed(run(cmd.Context(), f, terminal(cmd), signals))
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&f.files, "file", "f", nil, "compose `file`; later ones are merged over earlier ones")
	flags.Float64Var(&f.cpus, "cpus", 1, "CPUs of the task, its hard limit")
	flags.StringVar(&f.mem, "mem", "512m", "memory of the task, its hard limit, at least 32m")
	flags.StringVar(&f.ports, "ports", "", "host `ports` to offer, such as 31000-31010,31020 (default: 32 of 31000-32000 that are free)")
	flags.BoolVar(&f.job, "job", false, "the task finishes once its services have exited with 0")
	flags.BoolVar(&f.keep, "keep", false, "keep the sandbox and print its path")
	flags.DurationVar(&f.timeout, "timeout", 0, "kill the task after this time")
	flags.StringArrayVar(&f.labels, "label", nil, "label of the task, `key=value`")
	flags.StringArrayVar(&f.env, "env", nil, "variable for the executor, `name=value`; just a name takes the value from here")
	flags.StringVar(&f.name, "name", "", "name of the task (default: that of the project's directory)")
	flags.StringVar(&f.executor, "executor", "", "the executor's `program` (default: dce-executor beside dce, then in PATH)")
	flags.StringVar(&f.workDir, "work-dir", "/var/lib/dce/local", "`directory` for sandboxes")
	flags.StringVar(&f.copyLimit, "copy-limit", "64m", "how much may be copied into the sandbox")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show the executor's own log as well")
	return cmd
}

// size reads a number of bytes as Docker writes it: 512m, 1g.
func size(flag, text string) (int64, error) {
	n, err := units.RAMInBytes(text)
	if err != nil || n <= 0 {
		return 0, badInput("--%s %q is no size; write it like 512m or 1g", flag, text)
	}
	return n, nil
}
