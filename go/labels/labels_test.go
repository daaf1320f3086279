package labels

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPodIDIsReadableAndStable(t *testing.T) {
	id := Identity{Agent: "S0", Framework: "F", Executor: "E", Container: "C", Task: "web.Frontend_1"}
	require.Regexp(t, `^dce-web-frontend-1-[0-9a-f]{10}$`, id.PodID())
	require.Equal(t, id.PodID(), id.PodID())
	require.Regexp(t, `^dce-[0-9a-f]{10}$`, Identity{Task: "…"}.PodID())
}

var safe = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`) // of a compose project, which is the narrowest of all

func TestPodIDIsSafeForAnyID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringOf(rapid.Rune())
		a := Identity{Agent: part.Draw(t, "agent"), Framework: part.Draw(t, "framework"), Executor: part.Draw(t, "executor"), Container: part.Draw(t, "container"), Task: part.Draw(t, "task")}
		pod := a.PodID()
		if !safe.MatchString(pod) || strings.HasPrefix(pod, "mesos-") || len(pod) > 64 {
			t.Fatalf("%q", pod)
		}
		b := a
		b.Container += "x" // a new run of the same executor id
		if b.PodID() == pod {
			t.Fatalf("two runs share %q", pod)
		}
	})
}

func TestParseReadsBackWhatLabelsWrote(t *testing.T) {
	id := Identity{Scope: "/w", Agent: "S0", Framework: "F", Executor: "E $(x)", Container: "C", Task: "T"}
	got, pod, ok := Parse(ForService(id.Labels("1"), "web", RoleService, "1"))
	require.True(t, ok)
	require.Equal(t, id, got)
	require.Equal(t, id.PodID(), pod)
	for _, key := range []string{Scope, Framework, Executor, Container, Task, Pod} {
		l := id.Labels("1")
		delete(l, key)
		_, _, ok := Parse(l)
		require.False(t, ok, "without %s", key)
	}
}

func TestForServiceLeavesTheBaseAlone(t *testing.T) {
	base := Identity{Task: "T"}.Labels("1")
	ForService(base, "web", RoleService, "2")
	require.NotContains(t, base, Service)
}
