package launch

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// oom attributes what the kernel kills for want of memory to the services of a pod, and writes it into the sandbox at once: an
// agent hears of the task's cgroup, too, and may end this executor before it can report anything.
type oom struct {
	dir, name string // of oom.json
	log       logrus.FieldLogger

	mu       sync.Mutex
	closed   bool
	watch    *cgroup.OOMWatch
	services map[string]string // by container id
	kills    []kill
}

// kill is one entry of oom.json.
type kill struct {
	Service   string            `json:"service"`
	Container string            `json:"container"` // Docker's id
	Limit     string            `json:"limit"`     // whose: "container", "pod", "above" the pod's
	Cgroup    string            `json:"cgroup,omitempty"`
	Bytes     uint64            `json:"limit_bytes,omitempty"`
	Usage     uint64            `json:"usage_bytes,omitempty"` // of that cgroup, at most
	Peak      uint64            `json:"service_bytes"`         // of the service, at most
	Used      map[string]uint64 `json:"used_bytes"`            // by service, when the limit was hit
	Processes uint64            `json:"processes_killed"`      // since the container started
	Message   string            `json:"message"`
	At        time.Time         `json:"at"`
}

// mostKills bounds oom.json: a service may lose a child process again and again.
const mostKills = 32

// newOOM writes beside pod.json.
func newOOM(f files, log logrus.FieldLogger) *oom {
	return &oom{dir: f.dir, name: "oom" + strings.TrimPrefix(f.pod, "pod"), log: log, services: map[string]string{}}
}

// begin watches the containers that will be put under parent. Where that can't be, nothing is claimed about memory.
func (o *oom) begin(host *cgroup.Host, parent string) {
	watch, err := host.WatchOOM(parent, o.report, func(err error) {
		o.log.WithError(err).Warn("What the kernel kills in a container for want of memory is not noticed.")
	})
	if err != nil {
		o.log.WithError(err).Warn("What the kernel kills for want of memory is not noticed.")
		return
	}
	o.mu.Lock()
	late := o.closed
	if !late {
		o.watch = watch
	}
	o.mu.Unlock()
	if late {
		watch.Close()
	}
}

// closeAfter ends the watch with the pod.
func (o *oom) closeAfter(done <-chan struct{}) {
	<-done
	o.mu.Lock()
	o.closed = true
	watch := o.watch
	o.mu.Unlock()
	if watch != nil {
		watch.Close()
	}
}

// gateway notes which container is whose: before its start, so that no kill is without a name.
func (o *oom) gateway(g engine.Gateway) engine.Gateway { return &namingGateway{g, o} }

type namingGateway struct {
	engine.Gateway
	oom *oom
}

func (g *namingGateway) Create(ctx context.Context, spec *engine.ContainerSpec) (string, error) {
	id, err := g.Gateway.Create(ctx, spec)
	if err == nil {
		g.oom.mu.Lock()
		g.oom.services[id] = spec.Service
		g.oom.mu.Unlock()
	}
	return id, err
}

// report takes what was killed. Containers of other pods below the same cgroup are not known here, and none of our business.
func (o *oom) report(k cgroup.OOM) {
	o.mu.Lock()
	defer o.mu.Unlock()
	service, ours := o.services[cgroup.ContainerID(k.Name)]
	if !ours {
		return
	}
	entry := o.entry(service, k)
	o.kills = append(o.kills, entry)
	o.kills = o.kills[max(0, len(o.kills)-mostKills):]
	if err := replaceFile(o.dir, o.name, o.kills); err != nil {
		o.log.WithError(err).Warn("What was killed for want of memory can't be written down.")
	}
	o.log.WithFields(logrus.Fields{"service": service, "limit": entry.Limit, "cgroup": k.Cgroup, "limit_bytes": entry.Bytes, "usage_bytes": k.Usage}).
		Warn("The kernel killed a process of a service for want of memory.")
}

func (o *oom) entry(service string, k cgroup.OOM) kill {
	out := kill{
		Service: service, Container: cgroup.ContainerID(k.Name), Cgroup: k.Cgroup, Usage: k.Usage, Peak: k.Peak, Processes: k.Kills,
		Limit: map[cgroup.Level]string{cgroup.LevelOwn: "container", cgroup.LevelParent: "pod", cgroup.LevelAbove: "above"}[k.Level],
		Used:  map[string]uint64{}, At: k.At,
	}
	if k.Limit != cgroup.NoLimit {
		out.Bytes = k.Limit
	}
	for name, bytes := range k.Used {
		if other, known := o.services[cgroup.ContainerID(name)]; known {
			out.Used[other] += bytes
		}
	}
	out.Message = out.clause()
	return out
}

// clause says whose limit was hit, with the numbers.
func (k kill) clause() string {
	switch {
	case k.Processes == 0: // seen too late for more
		return fmt.Sprintf("it ended when the whole pod was at its limit, which is the task's, of %s, and %s of it were used", megabytes(k.Bytes), megabytes(k.Usage))
	case k.Limit == "container" && k.Bytes == 0:
		return "the kernel killed a process of it at the limit of a cgroup that it made itself"
	case k.Limit == "container":
		return fmt.Sprintf("the kernel killed it at its own limit of %s, of which it used %s", megabytes(k.Bytes), megabytes(k.Usage))
	case k.Limit == "pod":
		return fmt.Sprintf("the kernel killed it at the limit of the whole pod, which is the task's, of %s: the pod used %s%s",
			megabytes(k.Bytes), megabytes(k.Usage), k.shares())
	case k.Cgroup != "":
		return fmt.Sprintf("the kernel killed it at the limit of %s of the cgroup %s, which is above the task's", megabytes(k.Bytes), k.Cgroup)
	}
	return fmt.Sprintf("the kernel killed it because the host had no memory left; it used %s", megabytes(k.Peak))
}

// shares are the services that used most of the pod's memory.
func (k kill) shares() string {
	const most = 4
	if len(k.Used) == 0 {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(k.Used), func(a, b string) int {
		if k.Used[a] != k.Used[b] {
			return int(min(max(int64(k.Used[b])-int64(k.Used[a]), -1), 1))
		}
		return strings.Compare(a, b)
	})
	names = slices.DeleteFunc(names, func(n string) bool { return n == labels.RoleInfra })
	var parts []string
	for _, n := range names[:min(most, len(names))] {
		parts = append(parts, n+" "+megabytes(k.Used[n]))
	}
	return ", of these " + strings.Join(parts, ", ")
}

func megabytes(n uint64) string {
	return strconv.FormatFloat(float64(n*10>>20)/10, 'f', -1, 64) + " MB"
}

// evidence is what pod.Config asks for: a clause about a service that SIGKILL has ended, "" where the kernel is not known to
// have killed it for want of memory.
func (o *oom) evidence(service string) string {
	o.mu.Lock()
	watch := o.watch
	var ids []string
	for id, of := range o.services {
		if of == service {
			ids = append(ids, id)
		}
	}
	o.mu.Unlock()
	if watch == nil {
		return ""
	}
	var last cgroup.OOM
	for _, id := range ids {
		for _, name := range []string{id, "docker-" + id + ".scope"} {
			if k, known := watch.Of(name); known && k.At.After(last.At) {
				last = k
			}
		}
	}
	if last.Name == "" {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.entry(service, last).Message
}

// Of the executor, as Kubernetes' infra containers have it (pkg/kubelet/qos/policy.go): containers have 0 and more.
const executorScore = -998

// spareExecutor has the kernel kill the executor last of all in the pod: it has to report what was killed. Only root may.
func spareExecutor(log logrus.FieldLogger) {
	const file = "/proc/self/oom_score_adj"
	text, err := os.ReadFile(file)
	if err == nil {
		var now int
		if now, err = strconv.Atoi(strings.TrimSpace(string(text))); err == nil && now > executorScore {
			err = os.WriteFile(file, []byte(strconv.Itoa(executorScore)), 0)
		}
	}
	if err != nil {
		log.WithError(err).Debug("The executor is as likely to be killed for want of memory as its containers are.")
	}
}
