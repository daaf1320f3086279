package launch

import (
	"context"

	"github.com/dce-go/dce/go/compose"
	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/pod"
)

// routed brings pods up on a Docker network that other hosts reach, and tells at which addresses.
type routed struct {
	*engine.Pod
	network string
	tell    func(pod.Network)
}

// Up is that of engine.Pod. It ends with the address being told, so that the first TASK_RUNNING has it: Mesos-DNS looks there.
func (r routed) Up(ctx context.Context, spec engine.PodSpec, progress func(engine.Stage)) error {
	if err := r.Pod.Up(ctx, spec, progress); err != nil {
		return err
	}
	if spec.Infra == nil {
		return nil
	}
	details, err := r.Gateway.Inspect(ctx, spec.Infra.Name)
	if addresses := details.Addresses[r.network]; err == nil && len(addresses) > 0 {
		r.tell(pod.Network{Name: r.network, Addresses: addresses})
		return nil
	}
	r.Log.WithError(err).WithField("network", r.network).Warn("The pod's address on its network is not known; Mesos is told the agent's.")
	return nil
}

// onItsNetwork is the engine of a pod: the one that tells addresses only where somebody who knows says that others reach them.
func onItsNetwork(up *engine.Pod, cfg *config.Config, tell func(pod.Network)) pod.Engine {
	switch cfg.Network.Mode {
	case "", compose.NetworkPod, compose.NetworkCompose, compose.NetworkHost, compose.NetworkNone:
		return up
	}
	if !cfg.Network.Routable {
		return up
	}
	return routed{up, cfg.Network.Mode, tell}
}
