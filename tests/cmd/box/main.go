// Command box runs a command with a Docker engine: the one that is there, or a private one that is started for it and stopped
// after it. The Makefile calls it; tests use the package tests/box.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/dce-go/dce/tests/box"
)

func main() {
	root := &cobra.Command{
		Use: "box", Short: "Run a command with a Docker engine, a private one if need be",
		SilenceUsage: true, SilenceErrors: true, CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	var code int
	root.AddCommand(runCommand(&code), cleanCommand())
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "box:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func runCommand(code *int) *cobra.Command {
	r := runner{patience: 20 * time.Second}
	cmd := &cobra.Command{
		Use: "run [flags] -- COMMAND [ARGUMENT]…", Short: "Run a command and exit with its code",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			*code, err = r.run(args)
			return err
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&r.private, "private", false, "start a private engine even where one answers")
	flags.BoolVar(&r.images, "images", false, "load the images of tests and example first")
	flags.BoolVar(&r.clean, "clean", false, "fail where the command leaves a container, network, volume, cgroup or process (with --private)")
	flags.StringVar(&r.name, "name", "box", "name of the private engine; its images are kept under it")
	return cmd
}

func cleanCommand() *cobra.Command {
	return &cobra.Command{
		Use: "clean", Short: "End what killed runs have left of this checkout's private engines", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			checkout, err := box.Checkout()
			if err != nil {
				return err
			}
			busy, err := box.Clean(checkout)
			if err != nil || len(busy) == 0 {
				return err
			}
			return fmt.Errorf("private engines of this checkout are in use: %v; wait for the runs that use them, or end these", busy)
		},
	}
}
