package launch

import (
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/pod"
	"github.com/dce-go/dce/go/qos"
)

// report tells of a pod what its states alone do not: to people in two files of the sandbox and in the log, to the framework in
// labels and data of the updates. Nothing reads the files back.
//
// The loop of the pod's runner gives it states and statuses, bring-up what it has done. One goroutine writes the files, whenever
// something has changed; the last time with the terminal status, and then it ends.
type report struct {
	files files
	log   logrus.FieldLogger

	changes chan struct{} // holds one token while something is not written
	last    chan struct{} // closed with the terminal status
	written chan struct{} // closed once that is written

	mu       sync.Mutex
	pod      document
	state    pod.State
	spec     engine.PodSpec
	images   func() map[string]engine.Image
	timeline timeline
	networks []pod.Network
	ended    bool
}

// newReport begins to report a pod that was just received.
func newReport(id, task string, kind pod.Kind, why string, f files, log logrus.FieldLogger) *report {
	r := &report{
		files: f, log: log, changes: make(chan struct{}, 1), last: make(chan struct{}), written: make(chan struct{}),
		pod:      document{Pod: id, Task: task, Kind: kind, Because: why},
		timeline: timeline{Pod: id, Launched: time.Now()},
		images:   func() map[string]engine.Image { return nil },
	}
	go r.write()
	return r
}

// prepared takes what is to be brought up, and where to ask for its images.
func (r *report) prepared(spec engine.PodSpec, images func() map[string]engine.Image) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spec, r.images = spec, images
	r.timeline.prepared(spec)
	r.touch()
}

// finished takes an operation of bring-up that is done.
func (r *report) finished(f engine.Finished) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timeline.finished(f)
	r.touch()
}

// reached takes where the pod is reached at an address of its own.
func (r *report) reached(n pod.Network) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.networks = []pod.Network{n}
}

// classified takes the quality of service of the pod.
func (r *report) classified(class qos.Class) {
	r.log.WithField("qos", class).Info("The quality of service of the pod is decided.")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pod.QoS = class
}

// unbound takes why a limit of the task does not bind the pod.
func (r *report) unbound(err error) {
	r.log.WithError(err).Warn("The limits of the task do not bind the pod in full.")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pod.Unbound != "" {
		r.pod.Unbound += "; "
	}
	r.pod.Unbound += err.Error()
	r.touch()
}

// changed takes a state of the pod.
func (r *report) changed(s pod.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Phase != r.state.Phase {
		r.timeline.phase(s.Phase, time.Now())
	}
	r.state = s
	r.touch()
}

// status adds to an update what the framework may want to know of the pod, and passes it on. With the terminal one it waits
// until the files say so, too.
func (r *report) status(pass func(pod.Status)) func(pod.Status) {
	return func(s pod.Status) {
		r.mu.Lock()
		r.pod.Status = &lastStatus{State: s.State, Reason: s.Reason, Message: s.Message, Service: s.Service, At: time.Now()}
		d := r.document()
		if s.State == pod.Running && s.Reason == "" && d.Unbound != "" {
			s.Message = strings.TrimSuffix(s.Message, ".") + ", but " + d.Unbound
		}
		s.Labels, s.Data, s.Networks = d.labels(), d.data(), r.networks
		end := s.State.Terminal() && !r.ended
		r.ended = r.ended || end
		r.touch()
		r.mu.Unlock()
		pass(s)
		if end {
			r.mu.Lock()
			t := r.timeline.clone()
			r.mu.Unlock()
			t.log(r.log)
			close(r.last)
			<-r.written
		}
	}
}

// touch has the files written. The caller holds the lock.
func (r *report) touch() {
	select {
	case r.changes <- struct{}{}:
	default:
	}
}

// document is the pod as it is now. The caller holds the lock.
func (r *report) document() document {
	d := r.pod
	d.describe(r.state, r.spec, r.images())
	return d
}

func (r *report) write() {
	defer close(r.written)
	for end := false; !end; {
		select {
		case <-r.changes:
		case <-r.last:
			end = true
		}
		r.mu.Lock()
		d, t := r.document(), r.timeline.clone()
		r.mu.Unlock()
		d.Updated = time.Now()
		r.files.write(r.files.timeline, t, r.log)
		r.files.write(r.files.pod, d, r.log)
	}
}
