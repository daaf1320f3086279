package compose

import (
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/tree"
	"github.com/compose-spec/compose-go/v2/types"
)

// interpolate makes o record in unset the variables that have no value, where compose-go would print them, and look at
// strings that compose-go would misread or reject without saying where they are.
func interpolate(o *interpolation.Options, unset map[string]bool) {
	o.Substitute = func(text string, lookup template.Mapping) (string, error) {
		return template.SubstituteWithOptions(text, lookup, template.WithoutLogging, template.WithReplacementFunction(
			func(part string, lookup template.Mapping, cfg *template.Config) (string, error) {
				value, found, err := template.DefaultReplacementAppliedFunc(part, lookup, cfg)
				if err == nil && !found {
					unset[variable.FindString(part)] = true
				}
				return value, err
			}))
	}
	casts := maps.Clone(o.TypeCastMapping)
	for _, path := range paths {
		casts[path] = noHome
	}
	casts["services.*.ports.[]"] = port
	o.TypeCastMapping = casts
}

var variable = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// paths are where compose-go replaces a leading "~" by the home directory of this process.
var paths = []tree.Path{
	"services.*.volumes.[]", "services.*.volumes.[].source",
	"services.*.env_file", "services.*.env_file.[]", "services.*.env_file.[].path",
	"services.*.label_file", "services.*.label_file.[]",
	"services.*.extends.file", "configs.*.file", "secrets.*.file", "volumes.*.driver_opts.device",
	"include.[]", "include.[].path", "include.[].path.[]", "include.[].env_file", "include.[].env_file.[]",
	"include.[].project_directory",
}

var errHome = errors.New(`a task has no home directory for "~"`)

func noHome(value string) (any, error) {
	if strings.HasPrefix(value, "~") {
		return nil, errHome
	}
	return value, nil
}

// port parses the short form to tell where a bad one is; the loader parses it again.
func port(value string) (any, error) {
	_, err := types.ParsePortConfig(value)
	return value, err
}
