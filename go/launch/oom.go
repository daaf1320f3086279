package launch

import (
	"context"
	"maps"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/oom"
)

// memory attributes what the kernel kills for want of memory to the services of a pod, and writes it into the sandbox at once: an
// agent hears of the task's cgroup, too, and may end this executor before it can report anything.
type memory struct {
	dir, name string // of oom.json
	log       logrus.FieldLogger

	mu     sync.Mutex
	closed bool
	late   func() // begins the watch where the engine has yet to make the cgroup
	watch  *cgroup.OOMWatch
	file   oom.File
	limits map[string]uint64 // of containers, in bytes
}

// mostKills bounds oom.json: a service may lose a child process again and again.
const mostKills = 32

// newMemory writes beside pod.json.
func newMemory(f files, log logrus.FieldLogger) *memory {
	name := strings.TrimSuffix(oom.FileName, ".json") + strings.TrimPrefix(f.pod, "pod")
	return &memory{dir: f.dir, name: name, log: log, limits: map[string]uint64{}, file: oom.File{Containers: map[string]string{}, Kills: []oom.Kill{}}}
}

// begin watches the containers that will be put under a cgroup: as soon as the engine has made it, where that is left to the engine.
func (m *memory) begin(host *cgroup.Host, at parent) {
	if !at.absent {
		m.listen(host, at.Path)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.late = func() { m.listen(host, at.Path) }
}

// started is called when a container was started, and its cgroup made. What was killed in it before is told, too.
func (m *memory) started() {
	m.mu.Lock()
	listen := m.late
	m.late = nil
	m.mu.Unlock()
	if listen != nil {
		listen()
	}
}

// listen begins the watch. Where that can't be, nothing is claimed about memory.
func (m *memory) listen(host *cgroup.Host, path string) {
	watch, err := host.WatchOOM(path, m.killed, func(err error) {
		m.log.WithError(err).Warn("What the kernel kills in a container for want of memory is not noticed.")
	})
	if err != nil {
		m.log.WithError(err).Warn("What the kernel kills for want of memory is not noticed.")
		return
	}
	m.mu.Lock()
	late := m.closed
	if !late {
		m.watch = watch
	}
	m.mu.Unlock()
	if late {
		watch.Close()
	}
}

// closeAfter ends the watch with the pod.
func (m *memory) closeAfter(done <-chan struct{}) {
	<-done
	m.mu.Lock()
	m.closed = true
	watch := m.watch
	m.mu.Unlock()
	if watch != nil {
		watch.Close()
	}
}

// gateway notes which container is whose, before its start, so that no kill is without a name; and when the first was started.
func (m *memory) gateway(g engine.Gateway) engine.Gateway { return &namingGateway{g, m} }

type namingGateway struct {
	engine.Gateway
	memory *memory
}

func (g *namingGateway) Create(ctx context.Context, spec *engine.ContainerSpec) (string, error) {
	id, err := g.Gateway.Create(ctx, spec)
	if err == nil {
		g.memory.created(id, spec)
	}
	return id, err
}

func (g *namingGateway) Start(ctx context.Context, id string) error {
	err := g.Gateway.Start(ctx, id)
	if err == nil {
		g.memory.started()
	}
	return err
}

func (m *memory) created(id string, spec *engine.ContainerSpec) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if spec.Host != nil && spec.Host.Memory > 0 {
		m.limits[id] = uint64(spec.Host.Memory)
	}
	m.file.Containers[id] = spec.Service
	m.write()
}

// write is for callers that hold the lock.
func (m *memory) write() {
	if err := replaceFile(m.dir, m.name, m.file); err != nil {
		m.log.WithError(err).Warn("What is known of the memory of the pod can't be written to the sandbox.")
	}
}

// killed takes what was killed. Containers of other pods below the same cgroup are not known here, and none of our business.
func (m *memory) killed(k cgroup.OOM) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kill, ours := oom.NewKill(completed(k, m.limits), m.file.Containers)
	if !ours {
		return
	}
	m.file.Kills = append(m.file.Kills, kill)
	m.file.Kills = m.file.Kills[max(0, len(m.file.Kills)-mostKills):]
	m.write()
	m.log.WithFields(logrus.Fields{
		"service": kill.Service, "limit": kill.Limit, "cgroup": kill.Cgroup, "limit_bytes": kill.Bytes, "usage_bytes": kill.Usage,
	}).Warn("The kernel killed a process of a service for want of memory.")
}

// completed has the limit that a container was given, and then reached, where its cgroup was gone before that could be read there.
func completed(k cgroup.OOM, limits map[string]uint64) cgroup.OOM {
	if limit := limits[cgroup.ContainerID(k.Name)]; limit > 0 && k.Level == cgroup.LevelOwn && (k.Limit == 0 || k.Limit == cgroup.NoLimit) {
		k.Limit, k.Usage, k.Peak = limit, max(k.Usage, limit), max(k.Peak, limit)
	}
	return k
}

// evidence is what pod.Config asks for: a clause about a service that SIGKILL has ended, "" where the kernel is not known to
// have killed it for want of memory since then. An earlier kill, of a child that the service went on without, is not its end.
func (m *memory) evidence(service string, since time.Time) string {
	m.mu.Lock()
	watch, services, limits := m.watch, maps.Clone(m.file.Containers), maps.Clone(m.limits)
	m.mu.Unlock()
	if watch == nil {
		return ""
	}
	var last cgroup.OOM
	for id, of := range services {
		if of != service {
			continue
		}
		for _, name := range cgroup.ContainerNames(id) {
			if k, known := watch.Of(name); known && k.At.After(since) && k.At.After(last.At) {
				last = k
			}
		}
	}
	for id, of := range services { // one whose cgroup was gone too soon
		if limit := limits[id]; of == service && last.Name == "" && limit > 0 && watch.OwnHits(cgroup.ContainerNames(id)...) > 0 {
			last = cgroup.OOM{Name: id, Kills: 1, Level: cgroup.LevelOwn, Cgroup: path.Join(watch.Path(), id), Limit: limit, Usage: limit, Peak: limit, At: time.Now()}
			m.killed(last)
		}
	}
	if last.Name == "" {
		return ""
	}
	kill, _ := oom.NewKill(completed(last, limits), services)
	return kill.Message
}
