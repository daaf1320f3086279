// Package agentflags reads the flags of a Mesos agent off its command line and environment, as the agent itself does. It knows no
// flag and no default.
package agentflags

import "strings"

// Parse returns the values by the names without dashes: MESOS_WORK_DIR, and over that --work_dir=, --name for true and --no-name
// for false (Mesos: 3rdparty/stout/include/stout/flags/flags.hpp, load). args are without the program.
func Parse(environ, args []string) map[string]string {
	out := map[string]string{}
	for _, v := range environ {
		if name, value, ok := strings.Cut(v, "="); ok && strings.HasPrefix(name, "MESOS_") {
			out[strings.ToLower(strings.TrimPrefix(name, "MESOS_"))] = value
		}
	}
	for _, arg := range args {
		flag, isFlag := strings.CutPrefix(arg, "--")
		name, value, given := strings.Cut(flag, "=")
		switch {
		case !isFlag:
		case given:
			out[name] = value
		case strings.HasPrefix(name, "no-"):
			out[strings.TrimPrefix(name, "no-")] = "false"
		default:
			out[name] = "true"
		}
	}
	return out
}
