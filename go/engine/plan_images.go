package engine

import (
	"fmt"
	"slices"
)

// answer is yes, no, or unknown as long as an image is missing.
type answer int

const (
	unknown answer = iota
	no
	yes
)

func hasHealth(c *ContainerSpec, images map[string]Image) answer {
	switch image, known := images[c.Image]; {
	case c.Health == HealthFile, c.Health == HealthImage && known && image.Health:
		return yes
	case c.Health == HealthImage && !known:
		return unknown
	default:
		return no
	}
}

func (b *builder) addImages() error {
	wanted := map[string][]*ContainerSpec{}
	for i := range b.spec.Services {
		c := &b.spec.Services[i]
		wanted[c.Image] = append(wanted[c.Image], c)
	}
	for _, ref := range sorted(wanted) {
		op, err := pullOf(ref, wanted[ref], b.seen.Images)
		if err != nil {
			return err
		}
		if op != nil {
			b.images[ref] = b.plan.add(*op)
		}
	}
	if c := b.spec.Infra; c != nil {
		if _, here := b.seen.Images[c.Image]; !here && b.images[c.Image] == nil {
			b.images[c.Image] = b.plan.add(Op{Kind: OpLoad, Image: c.Image, Cause: fmt.Sprintf("image %s is missing", c.Image)})
		}
	}
	for _, ref := range sorted(wanted) {
		pull := b.images[ref]
		if pull == nil || !slices.ContainsFunc(wanted[ref], func(c *ContainerSpec) bool { return c.Health == HealthImage }) {
			continue
		}
		b.inspects[ref] = b.plan.add(Op{
			Kind: OpInspect, Image: ref, Needs: []Need{{Op: pull}}, Cause: "only the pulled image knows whether it has a healthcheck",
		})
		delete(b.seen.Images, ref) // what it said before the pull is no longer true
	}
	return nil
}

// pullOf decides about one image that some services share.
func pullOf(ref string, users []*ContainerSpec, here map[string]Image) (*Op, error) {
	_, found := here[ref]
	op := &Op{Kind: OpPull, Image: ref, Platform: users[0].Platform, Container: users[0]}
	may := false
	for _, c := range users {
		switch c.Pull {
		case PullAlways:
			op.Cause = fmt.Sprintf("services.%s.pull_policy is always", c.Service)
			return op, nil
		case PullNever:
		default:
			may = true
		}
	}
	switch {
	case found:
		return nil, nil
	case !may:
		return nil, &OpError{Op: OpPull, Service: users[0].Service, Image: ref, reason: reasonLaunch, sentence: fmt.Sprintf(
			"image %s of service %s is not on this host and services.%s.pull_policy is never: load it there, or allow the pull",
			ref, users[0].Service, users[0].Service)}
	}
	op.Cause = fmt.Sprintf("image %s is missing", ref)
	return op, nil
}
