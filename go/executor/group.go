package executor

import (
	"fmt"
	"strings"

	"github.com/dce-go/dce/go/pod"
)

// group is the tasks of one LAUNCH_GROUP: the first that fails or is killed ends the others
// (src/launcher/default_executor.cpp, DefaultExecutor::waited). A nil group is that of a task of its own.
type group struct {
	tasks []*task
	ended *groupEnd // set once
}

// groupEnd is why a group was ended.
type groupEnd struct {
	task string
	last pod.Status // of that task
}

func (g *group) add(t *task) {
	if g != nil {
		g.tasks = append(g.tasks, t)
	}
}

// endGroup ends the rest of a group after t ended with s. An executor that closes ends all tasks itself.
func (l *loop) endGroup(t *task, s pod.Status) {
	if t.group == nil || t.group.ended != nil || l.closing || s.State == pod.Finished {
		return
	}
	end := &groupEnd{t.id, s}
	t.group.ended = end
	for _, other := range t.group.tasks {
		if other == t || other.ended {
			continue
		}
		l.log.WithField("task", other.id).WithField("because", t.id).Info("Killing a task because another of its group ended.")
		other.cause = end
		grace := killGrace(nil, other.info.KillPolicy)
		other.order(func(p Task) { p.Kill(grace) })
	}
}

// explain makes the TASK_KILLED of another member say what ended it.
func (e *groupEnd) explain(s pod.Status) pod.Status {
	if e.last.Reason == pod.ReasonInvalid {
		s.Reason = "REASON_TASK_GROUP_INVALID"
	}
	s.Message = strings.TrimSpace(fmt.Sprintf("Killed with its group, because the task %s ended as TASK_%s: %s",
		e.task, e.last.State, e.last.Message))
	return s
}
