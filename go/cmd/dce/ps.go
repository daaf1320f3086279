package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/inventory"
)

const psHelp = `List the pods of this host, with their services and what each uses: CPU time,
how long it was throttled, memory without the page cache, that, processes, what
it read from and wrote to block devices. The line of a pod sums up all below its
cgroup, the executor too where it lives there, except that it is throttled by its
own limit only; it also has what passed the networks that its services have,
received and sent.

A pod is listed as long as the engine has a container of it, in any state.`

// psTimeout bounds an engine that hangs.
const psTimeout = 30 * time.Second

func psCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "ps", Short: "List the pods of this host and what they use", Long: psHelp, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return badInput("-o %s is no format; there are text and json", output)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), psTimeout)
			defer cancel()
			return failed(ps(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), output == "json"))
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func ps(ctx context.Context, out, errs io.Writer, asJSON bool) error {
	docker, err := engine.Connect(ctx, engine.ConnectOptions{})
	if err != nil {
		return err
	}
	defer docker.Close()
	pods, err := inventory.List(ctx, docker)
	if err != nil {
		return err
	}
	host, err := cgroup.Open(cgroup.Options{})
	if err == nil {
		err = inventory.Measure(host, pods)
	}
	if err != nil { // the list is good without
		_, _ = fmt.Fprintln(errs, "dce: not all that pods use can be read here:", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if !asJSON {
		return psTable(out, pods, time.Now())
	}
	text, err := json.MarshalIndent(psDocument(pods), "", "  ")
	if err == nil {
		_, err = fmt.Fprintln(out, string(text))
	}
	return err
}
