package compose

import (
	"context"

	"github.com/dce-go/dce/go/engine"
)

// Build loads the files of src and makes the pod of target out of them. The ports are in the order of the files; the
// warnings are sentences for the log. Every error that is the file's fault is an *Error.
func Build(ctx context.Context, src Source, target Target) (engine.PodSpec, []PublishedPort, []string, error) {
	if src.Name == "" {
		src.Name = target.Identity.PodID()
	}
	project, err := Load(ctx, src)
	if err != nil {
		return engine.PodSpec{}, nil, nil, err
	}
	layout, err := Rewrite(project, target)
	if err != nil {
		return engine.PodSpec{}, nil, nil, fileOf(err, src.Dir, project.ComposeFiles)
	}
	spec, warnings, err := Convert(layout)
	if err != nil {
		return engine.PodSpec{}, nil, nil, fileOf(err, src.Dir, project.ComposeFiles)
	}
	return spec, layout.Ports, warnings, nil
}
