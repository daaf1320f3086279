package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrongCommandLines(t *testing.T) {
	for args, says := range map[string]string{
		"rnu":                   `there is no command "rnu"; did you mean run? See dce --help`,
		"xyz":                   `there is no command "xyz"; see dce --help`,
		"run extra":             `dce run takes flags only, and "extra" is none; see dce run --help`,
		"version extra":         `dce version takes flags only, and "extra" is none; see dce version --help`,
		"ps extra":              `dce ps takes flags only, and "extra" is none; see dce ps --help`,
		"reap extra":            `dce reap takes flags only, and "extra" is none; see dce reap --help`,
		"doctor extra":          `dce doctor takes flags only, and "extra" is none; see dce doctor --help`,
		"run --cpu 2":           "dce run has no flag --cpu; did you mean --cpus? See dce run --help",
		"run --grace 5s":        "dce run has no flag --grace; see dce run --help",
		"run -z":                "dce run has no flag -z; see dce run --help",
		"--nothing":             "dce has no flag --nothing; see dce --help",
		"--dry-run reap":        "--dry-run belongs to a command: write it after that, as in dce reap --dry-run",
		"run ---x":              `"---x" is no flag; see dce run --help`,
		"run --cpus":            "--cpus needs a number, such as 0.5 or 2; see dce run --help",
		"run --cpus abc":        `--cpus can't be "abc"; it takes a number, such as 0.5 or 2`,
		"run --cpus 1e400":      `--cpus can't be "1e400"; it takes a number, such as 0.5 or 2`,
		"run --timeout 5":       `--timeout can't be "5"; it takes a time with its unit, such as 500ms, 10s or 5m`,
		"run --job=maybe":       `--job can't be "maybe"; it takes true or false, or no value`,
		"run -f":                "--file needs a value (file); see dce run --help",
		"reap --all --work-dir": "--work-dir needs a value (directory); see dce reap --help",
		"ps -o":                 "--output needs a value; see dce ps --help",
		"help rnu":              `there is no command "rnu"; did you mean run? See dce --help`,
		"help run x":            `help is of one command, and "x" is one too many; see dce run --help`,
	} {
		var stdout, stderr strings.Builder
		require.Equal(t, exitBadInput, execute(strings.Fields(args), &stdout, &stderr), args)
		require.Equal(t, "dce: "+says+"\n", stderr.String(), args)
		require.Empty(t, stdout.String(), args)
	}
}

func TestNumbersThatAreNoCPUs(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/compose.yaml", "services: {a: {image: x}}")
	t.Chdir(dir)
	for _, cpus := range []string{"0", "-1", "NaN", "Inf", "1025"} {
		var stdout, stderr strings.Builder
		require.Equal(t, exitBadInput, execute([]string{"run", "--cpus", cpus}, &stdout, &stderr))
		require.Contains(t, stderr.String(), "is no number of CPUs; give one above 0 and up to 1024")
	}
}

func TestHelpAndVersion(t *testing.T) {
	for args, says := range map[string]string{
		"": "Usage:", "help": "Usage:", "--help": "Usage:", "help run": "dce run [flags]", "run --help": "dce run [flags]",
		"version": "dce dev (go", "--version": "dce dev (go",
	} {
		var stdout, stderr strings.Builder
		require.Zero(t, execute(strings.Fields(args), &stdout, &stderr), args)
		require.Contains(t, stdout.String(), says, args)
		require.Empty(t, stderr.String(), args)
	}
}
