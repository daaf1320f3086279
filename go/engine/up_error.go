package engine

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// opPlan is the kind of an OpError about the spec itself.
const opPlan OpKind = "plan"

// Reasons of Mesos (mesos.proto, TaskStatus.Reason) that a failed Up has.
const (
	reasonInvalid = "REASON_TASK_INVALID"
	reasonLaunch  = "REASON_CONTAINER_LAUNCH_FAILED"
	reasonHealth  = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
)

// OpError is why a pod can't be brought up. Its text is one sentence for operators, with the way out.
type OpError struct {
	Op      OpKind
	Service string // empty where no single service is to blame
	Image   string // of that service, where the image is to blame
	Killed  bool   // that service was ended by SIGKILL, of whatever cause
	Err     error  // what the engine said; nil where it was not asked

	sentence string
	reason   string
}

func (e *OpError) Error() string { return e.sentence }

func (e *OpError) Unwrap() error { return e.Err }

// Reason is a reason of Mesos' TaskStatus.
func (e *OpError) Reason() string { return e.reason }

// explain makes a sentence of an engine's refusal. info is asked only where the answer matters.
func explain(ctx context.Context, o *Op, err error, info func(context.Context) (Info, error)) *OpError {
	e := &OpError{Op: o.Kind, Image: o.Image, Err: err, reason: reasonLaunch}
	if o.Container != nil {
		e.Service = o.Container.Service
	}
	switch {
	case o.Kind == OpPull:
		e.sentence = pullSentence(o, err)
	case errdefs.IsUnavailable(err):
		e.sentence = fmt.Sprintf("%s of %s was given up: %v", o.Kind, o.target(), err)
	case o.Kind == OpLoad:
		e.sentence = fmt.Sprintf("the image %s of the infra container can't be loaded: %v", o.Image, err)
	case o.Container == nil:
		e.sentence = fmt.Sprintf("%s %s failed: %v", o.Kind, o.target(), err)
	default:
		e.sentence = containerSentence(ctx, o, err, info)
	}
	return e
}

func pullSentence(o *Op, err error) string {
	what := fmt.Sprintf("image %s of service %s", o.Image, o.Container.Service)
	switch {
	case errdefs.IsNotFound(err), errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err):
		return fmt.Sprintf("%s does not exist in its registry or may not be read: correct services.%s.image, or log in with docker login (%v)",
			what, o.Container.Service, err)
	case errdefs.IsInvalidArgument(err):
		return fmt.Sprintf("%s can't be pulled: correct services.%s.image (%v)", what, o.Container.Service, err)
	default:
		return fmt.Sprintf("%s can't be pulled: see that its registry can be reached from this host, or load it there (%v)", what, err)
	}
}

// containerSentence tells the troubles of containers apart by what the engine's message names of theirs: an engine gives a
// taken port, a cgroup that can't be joined and a command that does not exist the same class.
func containerSentence(ctx context.Context, o *Op, err error, info func(context.Context) (Info, error)) string {
	c, msg, what := o.Container, err.Error(), o.Container.subject()
	parent := ""
	if c.Host != nil {
		parent = c.Host.CgroupParent
	}
	if network := c.networkIn(msg); network != "" && errdefs.IsNotFound(err) {
		return fmt.Sprintf("the network %s, which %s is to join, does not exist on this host: create it (docker network create %s), or name another (%v)",
			network, what, network, err)
	}
	if host, inside := c.portIn(msg); host != "" && o.Kind == OpStart {
		if service := c.Publishes[inside]; service != "" {
			what = "service " + service
		}
		return fmt.Sprintf("port %s of this host, which %s publishes for its port %s, is already taken: end what listens there, or take another port (%v)",
			host, what, inside, err)
	}
	if parent != "" && !strings.HasSuffix(parent, ".slice") && !errdefs.IsNotFound(err) {
		if i, infoErr := info(ctx); infoErr == nil && i.CgroupDriver == "systemd" {
			return fmt.Sprintf("%s can't be put under the cgroup %s: dockerd uses the systemd cgroup driver, which takes slices only;"+
				" start it with --exec-opt native.cgroupdriver=cgroupfs (%v)", what, parent, err)
		}
	}
	switch {
	case parent != "" && strings.Contains(msg, parent):
		return fmt.Sprintf("%s can't join the cgroup %s: see that it exists on this host and that its limits leave room (%v)", what, parent, err)
	case o.Kind == OpStart && errdefs.IsInvalidArgument(err):
		return fmt.Sprintf("%s can't be started: see that services.%s.command and entrypoint exist in image %s (%v)", what, c.Service, c.Image, err)
	}
	verb := map[OpKind]string{OpCreate: "created", OpStart: "started", OpCopy: "given its secrets and configs", OpRemove: "replaced"}[o.Kind]
	return fmt.Sprintf("%s can't be %s: %v", what, verb, err)
}

// subject is what sentences call c.
func (c *ContainerSpec) subject() string {
	if c.infra() {
		return "the infra container"
	}
	return "service " + c.Service
}

var portInText = regexp.MustCompile(`[0-9]:([0-9]{1,5})\b|:::([0-9]{1,5})\b|\]:([0-9]{1,5})\b`)

// portIn finds a host port of c's own that msg names in an address ("0.0.0.0:8080", "[::]:8080"), and what it leads to.
func (c *ContainerSpec) portIn(msg string) (host, inside string) {
	if c.Host == nil {
		return "", ""
	}
	for _, found := range portInText.FindAllStringSubmatch(msg, -1) {
		host := strings.Join(found[1:], "")
		for port, bindings := range c.Host.PortBindings {
			for _, b := range bindings {
				if b.HostPort == host {
					return host, string(port)
				}
			}
		}
	}
	return "", ""
}

// networkIn finds a network of c's own that msg names.
func (c *ContainerSpec) networkIn(msg string) string {
	for _, name := range c.networkNames() {
		if container.NetworkMode(name).IsUserDefined() && strings.Contains(msg, "network "+name+" ") {
			return name
		}
	}
	return ""
}

func noVolume(name, service string) *OpError {
	return &OpError{Op: opPlan, Service: service, reason: reasonLaunch, sentence: fmt.Sprintf(
		"the volume %s of service %s is external and does not exist on this host: create it (docker volume create %s), or take external out so that it is created with the pod",
		name, service, name)}
}

func noHealthcheck(waiting string, on *ContainerSpec) *OpError {
	return &OpError{Op: OpWait, Service: on.Service, reason: reasonInvalid, sentence: fmt.Sprintf(
		"service %s waits for service %s to be healthy, which has no healthcheck: give it services.%s.healthcheck, or wait for service_started",
		waiting, on.Service, on.Service)}
}

func unhealthyError(c *ContainerSpec) *OpError {
	return &OpError{Op: OpWait, Service: c.Service, reason: reasonHealth, sentence: fmt.Sprintf(
		"service %s is unhealthy, its healthcheck never passed: look at %s, or raise services.%s.healthcheck.retries or start_period",
		c.Service, c.LogFile(), c.Service)}
}

// killedCode is the exit code of a process that SIGKILL ended.
const killedCode = 128 + 9

// exitError says nothing of memory, whatever the engine's hint: every container below a cgroup that ran out gets that.
func exitError(c *ContainerSpec, s ContainerState) *OpError {
	return &OpError{Op: OpWait, Service: c.Service, Killed: s.ExitCode == killedCode, reason: reasonLaunch, sentence: fmt.Sprintf(
		"service %s exited with code %d while the pod was starting: look at %s", c.Service, s.ExitCode, c.LogFile())}
}

func goneError(c *ContainerSpec) *OpError {
	return &OpError{Op: OpWait, Service: c.Service, reason: reasonLaunch, sentence: fmt.Sprintf(
		"the container %s of service %s was removed from outside while the pod was starting", c.Name, c.Service)}
}

// dependencyError says that some service can't start because what it waits for will not come.
func dependencyError(wait *Op, cause *OpError) *OpError {
	e := *cause
	e.sentence = fmt.Sprintf("%s, and %s", cause.sentence, wait.Cause)
	return &e
}

func lostError(err error) *OpError {
	return &OpError{Op: opPlan, Err: err, reason: reasonLaunch, sentence: fmt.Sprintf("what is there of the pod can't be read: %v", err)}
}

func infraError(s ContainerState) *OpError {
	return &OpError{Op: OpWait, reason: reasonLaunch, sentence: fmt.Sprintf(
		"the infra container %s, which holds the network of the pod, exited with code %d while the pod was starting: it was ended from outside, or by a restart of dockerd without live-restore",
		s.Name, s.ExitCode)}
}
