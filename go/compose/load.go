package compose

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// Project is what compose files say, merged, interpolated and checked. Nobody changes it once it is loaded.
type Project struct {
	*types.Project
	Order    []string // services in the order of the files; those that are only included come last, by name
	Warnings []string // sentences for the log: what the files say and has no effect
}

// Load reads compose files as `docker compose --project-directory <Dir>` does. Every error that is the file's fault is
// an *Error.
func Load(ctx context.Context, src Source) (project *Project, err error) {
	// compose-go asserts types that a hostile file can make wrong; such a file must not take the executor down.
	defer func() {
		if fault := recover(); fault != nil {
			project, err = nil, (&Error{
				Problem: fmt.Sprintf("can't be understood by the compose loader: %v", fault),
				Fix:     "check the file with `docker compose config`",
			}).in(src.Dir, src.Files)
		}
	}()
	registerRaw()
	env, err := src.environment()
	if err != nil {
		return nil, err
	}
	files, warnings, err := src.files(env)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = file.Filename
	}
	name := src.Name
	if name == "" {
		name = loader.NormalizeProjectName(filepath.Base(src.Dir))
	}
	env[consts.ComposeProjectName] = name
	profiles := src.Profiles
	if len(profiles) == 0 {
		profiles = strings.FieldsFunc(env[consts.ComposeProfiles], func(r rune) bool { return r == ',' || r == ' ' })
	}

	unset := map[string]bool{}
	var found []loader.UnsupportedAttribute
	loaded, err := loader.LoadWithContext(ctx,
		types.ConfigDetails{WorkingDir: src.Dir, ConfigFiles: files, Environment: env},
		func(o *loader.Options) { o.SetProjectName(name, true) },
		loader.WithProfiles(profiles),
		loader.WithoutUnnecessaryResources,
		func(o *loader.Options) {
			interpolate(o.Interpolate, unset)
			if src.Model != nil {
				o.Interpolate.Substitute = func(text string, _ template.Mapping) (string, error) { return text, nil }
			}
		},
		loader.WithUnsupportedAttributesCheck(notTranslated(), func(all []loader.UnsupportedAttribute) { found = all }),
		loader.WithSupportedAttributes(translated(), nil),
	)
	if err != nil {
		return nil, explain(src, err).in(src.Dir, names)
	}
	ignored, err := judge(loaded, found)
	if err == nil {
		err = readLocal(loaded)
	}
	if err != nil {
		return nil, fileOf(err, src.Dir, names)
	}
	loaded.ComposeFiles = names
	for _, variable := range slices.Sorted(maps.Keys(unset)) {
		warnings = append(warnings, fmt.Sprintf("the variable %s is not set, so it is replaced by nothing", variable))
	}
	return &Project{Project: loaded, Order: order(loaded, files), Warnings: append(warnings, ignored...)}, nil
}

// order reads the services' order off the files; compose-go's maps have none.
func order(project *types.Project, files []types.ConfigFile) []string {
	var names []string
	add := func(name string) {
		if _, active := project.Services[name]; active && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, file := range files {
		for decoder := yaml.NewDecoder(bytes.NewReader(file.Content)); ; {
			var document struct {
				Services yaml.Node `yaml:"services"`
			}
			if decoder.Decode(&document) != nil {
				break // the end: the loader has read all of it before
			}
			for i := 0; i+1 < len(document.Services.Content); i += 2 {
				add(document.Services.Content[i].Value)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		add(name)
	}
	return names
}
