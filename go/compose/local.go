package compose

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// readLocal does what compose's client does with files of its own host before it asks the engine: seccomp profiles become
// their content, and the files of secrets and configs must exist. It changes project.
func readLocal(project *types.Project) error {
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		service := project.Services[name]
		for i, option := range service.SecurityOpt {
			profile, ok := seccompFile(option)
			if !ok {
				continue
			}
			content, err := os.ReadFile(project.RelativePath(profile))
			var compact bytes.Buffer
			if err == nil {
				err = json.Compact(&compact, content)
			}
			if err != nil {
				return badService(name, "security_opt", "name a JSON file in the sandbox", "the seccomp profile %s can't be read: %v", profile, cause(err))
			}
			service.SecurityOpt[i] = "seccomp=" + compact.String()
		}
		for _, secret := range service.Secrets {
			if err := exists(project, name, "secrets."+secret.Source, project.Secrets[secret.Source].File); err != nil {
				return err
			}
		}
		for _, config := range service.Configs {
			if err := exists(project, name, "configs."+config.Source, project.Configs[config.Source].File); err != nil {
				return err
			}
		}
	}
	return nil
}

// seccompFile returns the file that a security option names (opts.go of docker/cli, parseSecurityOpts).
func seccompFile(option string) (string, bool) {
	value, ok := strings.CutPrefix(option, "seccomp=")
	if !ok {
		value, ok = strings.CutPrefix(option, "seccomp:")
	}
	return value, ok && value != "unconfined" && value != "builtin"
}

func exists(project *types.Project, service, key, file string) error {
	if file == "" {
		return nil
	}
	if _, err := os.Stat(file); err != nil {
		return badService(service, key, "fetch it into the sandbox, or correct its path",
			"the file %s can't be used: %v", relative(project.WorkingDir, file), cause(err))
	}
	return nil
}

// cause is an error without the path that the sentence names already.
func cause(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}
