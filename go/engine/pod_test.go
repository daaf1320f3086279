package engine_test

import (
	"archive/tar"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
)

// podID is the pod of the tests that have no engine of their own.
const podID = "p"

func quiet() logrus.FieldLogger {
	log, _ := logtest.NewNullLogger()
	return log
}

// aPod is a pod with an infra container that the services join.
func aPod(id, image string, services ...engine.ContainerSpec) engine.PodSpec {
	infra := aService("infra", "sleep", "600")
	infra.Config.Labels[labels.Role] = labels.RoleInfra
	infra.Host = &container.HostConfig{IpcMode: "shareable"}
	infra.Essential = false
	spec := engine.PodSpec{ID: id, Labels: map[string]string{labels.Pod: id}, Infra: &infra}
	own := func(c *engine.ContainerSpec) {
		c.Name = id + "-" + c.Service + "-1"
		c.Config.Labels[labels.Pod], c.Config.Labels[labels.Service] = id, c.Service
		if c.Image == "" {
			c.Image = image
		}
		c.Config.Image = c.Image
	}
	own(&infra)
	for _, c := range services {
		own(&c)
		if c.Host == nil {
			c.Host = &container.HostConfig{NetworkMode: container.NetworkMode("container:" + infra.Name)}
		}
		spec.Services = append(spec.Services, c)
	}
	slices.SortFunc(spec.Services, func(a, b engine.ContainerSpec) int { return strings.Compare(a.Service, b.Service) })
	return spec
}

// aService needs to be put into a pod.
func aService(name string, command ...string) engine.ContainerSpec {
	return engine.ContainerSpec{
		Service: name, Essential: true, Grace: -1,
		Config: &container.Config{Cmd: command, Labels: map[string]string{labels.Role: labels.RoleService}},
	}
}

func loggedTo(c engine.ContainerSpec, folder string) engine.ContainerSpec {
	c.Logs = folder
	return c
}

// after is a service that depends on others: "redis:service_healthy", with a "?" at its end where that is not required.
func after(c engine.ContainerSpec, on ...string) engine.ContainerSpec {
	for _, d := range on {
		service, condition, _ := strings.Cut(d, ":")
		required := !strings.HasSuffix(condition, "?")
		c.Needs = append(c.Needs, engine.Dependency{
			Service: service, Condition: engine.Condition(strings.TrimSuffix(condition, "?")), Required: required,
		})
	}
	return c
}

func checkedBy(c engine.ContainerSpec, test ...string) engine.ContainerSpec {
	c.Health = engine.HealthFile
	c.Config.Healthcheck = &container.HealthConfig{Test: append([]string{"CMD"}, test...), Interval: 1e8, Retries: 2}
	return c
}

func initService(c engine.ContainerSpec) engine.ContainerSpec {
	c.Init, c.Essential = true, false
	return c
}

// fakePod is a pod on an engine in memory that has the image "i".
func fakePod() (*engine.Pod, *enginetest.Fake) {
	fake := enginetest.New()
	fake.AddImage("i", engine.Image{ID: "sha256:1"})
	return &engine.Pod{Gateway: fake, Log: quiet()}, fake
}

func emptyRootfs(t *testing.T) func() (io.Reader, container.Config) {
	t.Helper()
	return func() (io.Reader, container.Config) {
		var b bytes.Buffer
		_ = tar.NewWriter(&b).Close() // a buffer takes everything
		return &b, container.Config{Cmd: []string{"/pause"}}
	}
}
