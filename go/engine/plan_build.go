package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"
)

// Observed is what an engine had before a pod was brought up.
type Observed struct {
	Images     map[string]Image // those of the pod's images that are there, by the name in the spec
	Containers []ContainerState // of the pod
	Networks   map[string]bool  // names of the pod's networks that are there
	Volumes    map[string]bool  // names of the pod's volumes that are there
}

// NewPlan decides what must be done to bring a pod up, given what is there. It is pure. Containers of an earlier attempt
// are adopted: one that runs is left alone, one that was only created is started, one that ended is removed and made anew.
// A cycle, an unknown dependency or an image that may not be pulled is an *OpError.
func NewPlan(spec PodSpec, seen Observed) (*Plan, error) {
	levels, err := spec.levels()
	if err != nil {
		return nil, err
	}
	seen.Images = maps.Clone(seen.Images)
	b := &builder{
		spec: &spec, seen: seen, plan: &Plan{adopted: map[string]string{}},
		images: map[string]*Op{}, inspects: map[string]*Op{}, networks: map[string]*Op{}, volumes: map[string]*Op{},
		creates: map[string]*Op{}, starts: map[string]*Op{}, waits: map[waitKey]*Op{}, running: map[string]bool{},
	}
	if err := b.addImages(); err != nil {
		return nil, err
	}
	for i := range spec.Services {
		if err := b.check(&spec.Services[i]); err != nil {
			return nil, err
		}
	}
	b.addObjects()
	order := b.order(levels)
	for _, c := range order {
		b.addContainer(c)
	}
	for _, c := range order {
		b.addStart(c)
	}
	return b.plan, nil
}

type waitKey struct {
	container string
	condition Condition
}

type builder struct {
	spec             *PodSpec
	seen             Observed
	plan             *Plan
	images, inspects map[string]*Op // by image
	networks         map[string]*Op // by name
	volumes          map[string]*Op // by name
	creates, starts  map[string]*Op // by container name; creates holds the last operation before the start
	waits            map[waitKey]*Op
	running          map[string]bool // containers that run already
}

// check refuses a dependency on what is not there and one that can never come true.
func (b *builder) check(c *ContainerSpec) error {
	for _, d := range c.Needs {
		if !b.spec.has(d.Service) {
			if !d.Required {
				continue
			}
			return &OpError{Op: opPlan, Service: c.Service, reason: reasonInvalid, sentence: fmt.Sprintf(
				"service %s depends on service %s, which the pod does not have: add it, enable its profile, or take it out of services.%s.depends_on",
				c.Service, d.Service, c.Service)}
		}
		if d.Condition != Healthy || !d.Required {
			continue
		}
		for i := range b.spec.Services {
			if on := &b.spec.Services[i]; on.Service == d.Service && hasHealth(on, b.seen.Images) == no {
				return noHealthcheck(c.Service, on)
			}
		}
	}
	return nil
}

func (b *builder) addObjects() {
	for i := range b.spec.Networks {
		if n := &b.spec.Networks[i]; !b.seen.Networks[n.Name] {
			b.networks[n.Name] = b.plan.add(Op{Kind: OpCreateNetwork, Network: n, Cause: fmt.Sprintf("network %s is missing", n.Name)})
		}
	}
	for i := range b.spec.Volumes {
		v := &b.spec.Volumes[i]
		if name := v.Options.Name; !b.seen.Volumes[name] {
			b.volumes[name] = b.plan.add(Op{Kind: OpCreateVolume, Volume: v, Cause: fmt.Sprintf("volume %s is missing", name)})
		}
	}
}

// order is infra first, then the services by level, sorted by container name.
func (b *builder) order(levels [][]string) []*ContainerSpec {
	var out []*ContainerSpec
	if b.spec.Infra != nil {
		out = append(out, b.spec.Infra)
	}
	for _, level := range levels {
		from := len(out)
		for i := range b.spec.Services {
			if c := &b.spec.Services[i]; slices.Contains(level, c.Service) {
				out = append(out, c)
			}
		}
		slices.SortFunc(out[from:], func(x, y *ContainerSpec) int { return cmp.Compare(x.Name, y.Name) })
	}
	return out
}

// addContainer plans everything up to the point where c can be started.
func (b *builder) addContainer(c *ContainerSpec) {
	old, why := b.remains(c)
	if old != nil && why == "" {
		b.plan.adopted[c.Name] = old.ID
		if old.Status == StatusCreated {
			b.addCopy(c, nil)
		} else {
			b.running[c.Name] = true
		}
		return
	}
	create := Op{Kind: OpCreate, Container: c, Cause: fmt.Sprintf("container %s is missing", c.Name)}
	if old != nil {
		remove := b.plan.add(Op{Kind: OpRemove, Container: c, Remains: old.ID, Cause: why})
		create.Needs = append(create.Needs, Need{Op: remove})
		create.Cause = fmt.Sprintf("#%d removes the old one", remove.ID)
	}
	need := func(op *Op) {
		if op != nil && !slices.ContainsFunc(create.Needs, func(n Need) bool { return n.Op == op }) {
			create.Needs = append(create.Needs, Need{Op: op})
		}
	}
	need(b.images[c.Image])
	for _, name := range c.networkNames() {
		need(b.networks[name])
	}
	for _, name := range c.volumeNames() {
		need(b.volumes[name])
	}
	for _, d := range c.donors() {
		if d.atCreate {
			need(b.creates[d.name])
		}
	}
	b.addCopy(c, b.plan.add(create))
}

func (b *builder) addCopy(c *ContainerSpec, create *Op) {
	if len(c.Files) > 0 {
		copied := Op{Kind: OpCopy, Container: c, Cause: fmt.Sprintf("%s has %d secrets or configs with content", c.Service, len(c.Files))}
		if create != nil {
			copied.Needs = []Need{{Op: create}}
		}
		create = b.plan.add(copied)
	}
	if create != nil {
		b.creates[c.Name] = create
	}
}

// remains returns the container of that name which is there, and why it can't be adopted.
func (b *builder) remains(c *ContainerSpec) (old *ContainerState, why string) {
	at := slices.IndexFunc(b.seen.Containers, func(s ContainerState) bool { return s.Name == c.Name })
	if at < 0 {
		return nil, ""
	}
	old = &b.seen.Containers[at]
	switch old.Status {
	case StatusCreated:
		return old, ""
	case StatusRunning, StatusPaused:
		for _, d := range c.donors() {
			if d.running && b.ours(d.name) && !b.running[d.name] {
				return old, fmt.Sprintf("container %s runs in namespaces of %s that are gone", c.Name, d.name)
			}
		}
		return old, ""
	default:
		return old, fmt.Sprintf("container %s is left from an earlier attempt (%s)", c.Name, old.Status)
	}
}

func (b *builder) ours(name string) bool {
	return b.spec.Infra != nil && b.spec.Infra.Name == name ||
		slices.ContainsFunc(b.spec.Services, func(c ContainerSpec) bool { return c.Name == name })
}

// addStart plans the start of c, unless it runs, and the wait for what it must come to.
func (b *builder) addStart(c *ContainerSpec) {
	if !b.running[c.Name] {
		start := Op{Kind: OpStart, Container: c, Cause: startCause(b.spec, c)}
		need := func(op *Op, optional bool) {
			if op != nil && !slices.ContainsFunc(start.Needs, func(n Need) bool { return n.Op == op }) {
				start.Needs = append(start.Needs, Need{op, optional})
			}
		}
		need(b.creates[c.Name], false)
		for _, d := range c.donors() {
			if d.running {
				need(b.starts[d.name], false)
			}
		}
		for _, d := range c.Needs {
			for i := range b.spec.Services {
				on := &b.spec.Services[i]
				if on.Service != d.Service {
					continue
				}
				if wait := b.waits[waitKey{on.Name, d.Condition}]; wait != nil {
					need(wait, !d.Required)
				} else {
					need(b.starts[on.Name], false)
				}
			}
		}
		slices.SortFunc(start.Needs, func(x, y Need) int { return cmp.Compare(x.Op.ID, y.Op.ID) })
		b.starts[c.Name] = b.plan.add(start)
	}
	if c != b.spec.Infra {
		b.addWaits(c)
	}
}

func (b *builder) addWaits(c *ContainerSpec) {
	completed := b.dependents(c, Completed)
	if c.Init || completed != "" {
		b.addWait(c, Completed, cmp.Or(completed, c.Service+" is an init container"))
	}
	healthy := b.dependents(c, Healthy)
	if has := hasHealth(c, b.seen.Images); has != no && (!c.Init || healthy != "") {
		why := c.Service + " has a healthcheck"
		if has == unknown {
			why = c.Service + " may have a healthcheck in its image"
		}
		b.addWait(c, Healthy, cmp.Or(healthy, why))
	}
}

func (b *builder) addWait(c *ContainerSpec, condition Condition, cause string) {
	wait := Op{Kind: OpWait, Container: c, Condition: condition, Cause: cause}
	if op := b.inspects[c.Image]; op != nil && condition == Healthy && c.Health == HealthImage {
		wait.Needs = append(wait.Needs, Need{Op: op})
	}
	if op := b.starts[c.Name]; op != nil {
		wait.Needs = append(wait.Needs, Need{Op: op})
	}
	b.waits[waitKey{c.Name, condition}] = b.plan.add(wait)
}

// dependents says who waits for that condition of c: "web depends on redis: service_healthy".
func (b *builder) dependents(c *ContainerSpec, condition Condition) string {
	var out []string
	for i := range b.spec.Services {
		for _, d := range b.spec.Services[i].Needs {
			if d.Service == c.Service && d.Condition == condition {
				out = append(out, dependency(b.spec.Services[i].Service, d))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

func dependency(service string, d Dependency) string {
	return fmt.Sprintf("%s depends on %s: %s", service, d.Service, d.Condition)
}

func startCause(spec *PodSpec, c *ContainerSpec) string {
	if c == spec.Infra {
		return "the services join it"
	}
	var out []string
	for _, d := range c.Needs {
		if spec.has(d.Service) {
			out = append(out, dependency(c.Service, d))
		}
	}
	return cmp.Or(strings.Join(out, ", "), c.Service+" needs no other service")
}

// networkNames and volumeNames are the names that c uses, whoever makes them.
func (c *ContainerSpec) networkNames() []string {
	names := sorted(c.Networks)
	if c.Host != nil {
		names = append(names, string(c.Host.NetworkMode))
	}
	return names
}

func (c *ContainerSpec) volumeNames() []string {
	if c.Host == nil {
		return nil
	}
	var names []string
	for _, m := range c.Host.Mounts {
		if m.Type == mount.TypeVolume {
			names = append(names, m.Source)
		}
	}
	for _, bind := range c.Host.Binds {
		source, _, _ := strings.Cut(bind, ":")
		names = append(names, source)
	}
	return names
}
