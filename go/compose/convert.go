package compose

import (
	"slices"

	"github.com/dce-go/dce/go/engine"
)

// Convert translates a layout into what an engine is asked for, without looking at anything else: equal layouts give
// equal specs. The warnings are sentences for the log, those of the layout first.
func Convert(layout *Layout) (pod engine.PodSpec, warnings []string, err error) {
	own := *layout
	l := &own
	l.Warnings = slices.Clone(layout.Warnings)
	pod = engine.PodSpec{ID: l.Pod, Labels: l.Target.Identity.Labels(l.Target.Version), Volumes: l.volumes()}
	if pod.Infra, err = l.infra(); err != nil {
		return engine.PodSpec{}, nil, err
	}
	used := map[string]bool{} // keys of the file's networks that a container is on
	if l.Target.networkMode() == NetworkPod {
		for _, key := range l.neededNetworks() {
			used[key] = true
		}
	}
	for _, name := range l.byName() {
		service := l.services[name]
		for n := range service.names {
			spec, err := l.container(service, n+1)
			if err != nil {
				return engine.PodSpec{}, nil, err
			}
			pod.Services = append(pod.Services, spec)
		}
		if service.net == "" && len(service.names) > 0 {
			for key := range service.Networks {
				used[key] = true
			}
		}
	}
	if pod.Networks, err = l.networks(used); err != nil {
		return engine.PodSpec{}, nil, err
	}
	return pod, l.Warnings, nil
}
