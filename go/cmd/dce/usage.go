package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dce-go/dce/go/nearest"
)

// noCommand refuses what is no command of dce, for a root that shows its help without one.
func noCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	return badInput("there is no command %q%s", args[0], orElse(nearest.To(args[0], names), "", root))
}

// noArguments refuses what is neither a flag nor a flag's value.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return badInput("%s takes flags only, and %q is none; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
}

// wrongFlag says in a sentence what is wrong with a flag.
func wrongFlag(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		bare    *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		garbled *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return badInput("%s has no flag -%s; see %s --help", cmd.CommandPath(), unknown.GetSpecifiedName(), cmd.CommandPath())
	case errors.As(err, &unknown):
		return noFlag(cmd, unknown.GetSpecifiedName())
	case errors.As(err, &bare):
		return badInput("--%s needs %s; see %s --help", bare.GetFlag().Name, takes(bare.GetFlag()), cmd.CommandPath())
	case errors.As(err, &invalid):
		return badInput("--%s can't be %q; it takes %s", invalid.GetFlag().Name, invalid.GetValue(), takes(invalid.GetFlag()))
	case errors.As(err, &garbled):
		return badInput("%q is no flag; see %s --help", garbled.GetSpecifiedFlag(), cmd.CommandPath())
	}
	return badInput("%w; see %s --help", err, cmd.CommandPath())
}

func noFlag(cmd *cobra.Command, name string) error {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	for _, c := range cmd.Commands() { // of a root: the flag may be that of a command, and come too early
		if f := c.Flags().Lookup(name); f != nil {
			return badInput("--%s belongs to a command: write it after that, as in %s --%s", name, c.CommandPath(), name)
		}
	}
	return badInput("%s has no flag --%s%s", cmd.CommandPath(), name, orElse(nearest.To(name, names), "--", cmd))
}

// orElse is the way out: what was probably meant, or else the help.
func orElse(meant, prefix string, cmd *cobra.Command) string {
	if meant == "" {
		return fmt.Sprintf("; see %s --help", cmd.CommandPath())
	}
	return fmt.Sprintf("; did you mean %s%s? See %s --help", prefix, meant, cmd.CommandPath())
}

// takes is what a flag takes, by its type or by the name that its usage gives the value.
func takes(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false, or no value"
	case "duration":
		return "a time with its unit, such as 500ms, 10s or 5m"
	case "float64":
		return "a number, such as 0.5 or 2"
	case "int", "uint", "int64", "uint64", "uint16":
		return "a whole number"
	}
	if value, _ := pflag.UnquoteUsage(f); value != f.Value.Type() {
		return "a value (" + value + ")"
	}
	return "a value"
}

// helpCommand is `dce help COMMAND`; cobra's own is content with a command that there is none of.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [command]", Short: "Show the help of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			switch {
			case err != nil || cmd == root:
				if err := noCommand(root, args); err != nil {
					return err
				}
			case len(rest) > 0:
				return badInput("help is of one command, and %q is one too many; see %s --help", rest[0], cmd.CommandPath())
			}
			return failed(cmd.Help())
		},
	}
}
