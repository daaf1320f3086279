package launch

import (
	"context"
	"fmt"
	"maps"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/compose"
	"github.com/dce-go/dce/go/engine"
)

// build loads what the task names and makes the pod of target out of it.
func (o *order) build(ctx context.Context, target compose.Target) (engine.PodSpec, error) {
	target.Environment = taskEnvironment(o.task, o.session, o.variables)
	known := maps.Clone(o.variables)
	maps.Copy(known, target.Environment)
	src, err := taskSource(o.task, &o.session.ExecutorInfo, compose.Source{
		Dir: o.session.Environment.Sandbox, Files: o.cfg.Compose.Files, Profiles: o.cfg.Compose.Profiles, Env: known,
	}, &target, o.log)
	if err != nil {
		return engine.PodSpec{}, err
	}
	spec, _, warnings, err := compose.Build(ctx, src, target)
	for _, warning := range warnings {
		o.log.Warn(warning)
	}
	return spec, err
}

// taskSource decides what a task is loaded from: from the compose files that are configured or there, or else from its
// container, whose ports it adds to target.
func taskSource(task *mesos.TaskInfo, by *mesos.ExecutorInfo, src compose.Source, target *compose.Target, log logrus.FieldLogger) (compose.Source, error) {
	files, err := src.Given()
	if err != nil {
		return src, err
	}
	image := containerImage(by.Container)
	switch {
	case task.Container != nil && len(files) > 0:
		log.WithField("files", files).Warn("The task has compose files and a container: the files are run, TaskInfo.container is not looked at.")
		return src, nil
	case task.Container == nil && len(files) == 0 && image != "":
		return src, &compose.Error{
			Problem: fmt.Sprintf("there is neither a compose file in the sandbox nor a TaskInfo.container: the image %s of ExecutorInfo.container "+
				"(with Marathon: the app's container) is what the executor itself runs in", image),
			Fix: "fetch a compose file that names the image, or name it in TaskInfo.container",
		}
	case task.Container == nil || len(files) > 0:
		return src, nil
	}
	model, err := newContainerModel(task, src.Dir)
	if err != nil {
		return src, err
	}
	for _, warning := range model.warnings {
		log.Warn(warning)
	}
	target.Named = maps.Clone(target.Named)
	maps.Copy(target.Named, model.named)
	src.Files, src.Model = []string{containerInfo}, model.file()
	return src, nil
}

// fromInside explains what an executor can't reach that does not see the host's files: one whose own container has an image
// (Docker's containerizer runs it in a container, Mesos' gives it the image as its root). Other executors' errors stay.
func fromInside(by *mesos.ExecutorInfo, what, path string, err error) error {
	image := containerImage(by.Container)
	if err == nil || image == "" {
		return err
	}
	return fmt.Errorf("the executor runs inside the image %s, because ExecutorInfo.container (with Marathon: the app's container) names it, and can't reach %s there: "+
		"run it without that container, or mount %s of the host into it (%w)", image, what, path, err)
}
