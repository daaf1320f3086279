package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/dce-go/dce/go/doctor"
)

const doctorHelp = `Look at this host and say whether a pod would run on it: a line for each check,
with what was seen, where, and what to do. Nothing is changed.

The flags are named as the agent names them. What is not given is taken from the
Mesos agent that runs here, by its command line and environment, and where none
runs, from Mesos' defaults. The engine is looked for as executors do.

  ok       as it should be
  warn     pods run, but not as well or as safely as they could
  fail     a pod would not run
  unknown  it could not be seen; as root, and with the engine up, it can

docs/doctor.md explains each check.

Exit code: 0 when a pod would run; 1 when a check failed; 2 for bad input.`

type doctorFlags struct {
	doctor.Options
	output string
}

func doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say whether a pod would run on this host", Long: doctorHelp, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			f.Self, _ = os.Executable() // not known without /proc
			if f.Executor == "" {
				f.Executor, _ = findExecutor("", f.Self, exec.LookPath) // that there is none is a finding
			}
			report := doctor.Run(cmd.Context(), f.Options)
			if err := f.print(cmd.OutOrStdout(), report); err != nil {
				return failed(err)
			}
			if !report.PodRuns {
				return failed(errSaid)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.DockerHost, "docker-host", "", "`address` of the engine (default: as executors find it)")
	flags.StringVar(&f.CgroupsRoot, "cgroups-root", "", "the agent's --cgroups_root, a `path`")
	flags.StringVar(&f.WorkDir, "work-dir", "", "the agent's --work_dir, a `directory`")
	flags.StringVar(&f.RuntimeDir, "runtime-dir", "", "the agent's --runtime_dir, a `directory`")
	flags.StringArrayVar(&f.Modules, "modules", nil, "a `file` with modules JSON, as the agent's --modules names it; may be repeated")
	flags.StringVar(&f.ModulesDir, "modules-dir", "", "the agent's --modules_dir, a `directory`")
	flags.StringVar(&f.Executor, "executor", "", "the executor's `program` (default: dce-executor beside dce, then in PATH)")
	flags.DurationVar(&f.Patience, "timeout", doctor.DefaultPatience, "how long each look may take")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

// errSaid is an error of which all has been said.
var errSaid = errors.New("")

func (f *doctorFlags) check() error {
	if f.output != "text" && f.output != "json" {
		return badInput("-o %s is no format; there are text and json", f.output)
	}
	if f.Patience <= 0 {
		return badInput("--timeout %s is no time to wait; give one such as 5s", f.Patience)
	}
	for flag, dir := range map[string]string{"work-dir": f.WorkDir, "runtime-dir": f.RuntimeDir, "modules-dir": f.ModulesDir} {
		if dir != "" && !filepath.IsAbs(dir) {
			return badInput("--%s %s is not an absolute path; give the agent's as it has it", flag, dir)
		}
	}
	if f.CgroupsRoot != "" {
		if _, err := cgroupsRoot(f.CgroupsRoot); err != nil {
			return err
		}
	}
	return nil
}

func (f *doctorFlags) print(to io.Writer, r doctor.Report) error {
	if f.output == "json" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(to, string(text))
		return err
	}
	for _, one := range r.Findings {
		if _, err := fmt.Fprintf(to, "%-7s  %-17s  %s\n", one.Level, one.Check, one); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(to, r.Verdict)
	return err
}
