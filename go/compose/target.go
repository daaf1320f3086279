package compose

import (
	"fmt"
	"slices"

	"github.com/dce-go/dce/go/labels"
)

// Network modes of a pod. Any other value is the name of an existing Docker network.
const (
	NetworkPod     = "pod"     // all services share the network namespace of the infra container
	NetworkCompose = "compose" // the file's own networks, with names scoped to the pod
	NetworkHost    = "host"    // all services use the host's network
	NetworkNone    = "none"    // every service has a loopback of its own and nothing else
)

// Namespaces that the containers of a pod can share.
const (
	ShareNet = "net"
	ShareIPC = "ipc"
	SharePID = "pid"
)

// Kinds of pods, as in package pod.
const (
	KindService = "service"
	KindJob     = "job"
)

// Target is where a project is to run: what Rewrite and Convert need beside the file.
type Target struct {
	Identity         labels.Identity   // whose pod it is
	Version          string            // of dce, for the label
	CgroupParent     string            // of every container; empty for the engine's own
	PauseImage       string            // image of the infra container, as pause.Image names it
	NetworkMode      string            // one of the constants, or an existing Docker network; empty is NetworkPod
	Share            []string          // ShareIPC and SharePID; whether the network is shared is up to NetworkMode, not to ShareNet
	Offered          []uint16          // the host ports that the task was offered, in offer order
	Named            map[string]uint16 // host ports by the name that DiscoveryInfo gives them; they are among Offered
	AllowStaticPorts bool              // where nothing is offered, take the host ports that the file asks for
	Visible          bool              // let `docker compose ls|ps|logs` see the pod (and `docker compose down` destroy it)
	Kind             string            // KindService or KindJob; empty is KindService
	Sandbox          string            // the task's sandbox as the host sees it, absolute; mounted at SandboxPath, unless empty
	Environment      map[string]string // of every service, below the file's own
}

func (t Target) check() error {
	for _, share := range t.Share {
		if !slices.Contains([]string{ShareNet, ShareIPC, SharePID}, share) {
			return &Error{Problem: fmt.Sprintf("a pod can't share the namespace %q", share), Fix: "use net, ipc or pid"}
		}
	}
	if !slices.Contains([]string{"", KindService, KindJob}, t.Kind) {
		return &Error{Problem: fmt.Sprintf("there is no pod of kind %q", t.Kind), Fix: "use service or job"}
	}
	return nil
}

func (t Target) networkMode() string {
	if t.NetworkMode == "" {
		return NetworkPod
	}
	return t.NetworkMode
}

func (t Target) shares(namespace string) bool { return slices.Contains(t.Share, namespace) }

// collapsed says whether services that ask for nothing else join the network namespace of the infra container.
func (t Target) collapsed() bool {
	return !slices.Contains([]string{NetworkHost, NetworkNone, NetworkCompose}, t.networkMode())
}
