package executor

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func anUpdate(task, uuid string) mesos.TaskStatus {
	return mesos.TaskStatus{TaskID: mesos.TaskID{Value: task}, UUID: []byte(uuid)}
}

func TestATaskIsHeldUntilItsFirstAcknowledgement(t *testing.T) {
	var u updates
	u.launched(taskInfo("a"))
	u.launched(taskInfo("b"))
	u.add(anUpdate("a", "1"), false)
	tasks, held := u.subscribe(1)
	require.Equal(t, []string{"a", "b"}, taskIDs(tasks))
	require.Len(t, held, 1)
	require.True(t, u.unacknowledged("a"))
	require.False(t, u.unacknowledged("b"))
	require.True(t, u.acknowledge(mesos.TaskID{Value: "a"}, []byte("1")))
	require.False(t, u.acknowledge(mesos.TaskID{Value: "a"}, []byte("1")))
	tasks, held = u.subscribe(2)
	require.Equal(t, []string{"b"}, taskIDs(tasks))
	require.Empty(t, held)
}

// Against a model: whatever happens, every update is acknowledged or held, in the order in which it came, and next offers
// exactly those that the subscription has not seen.
func TestUpdatesAreNeverLostAndKeepTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u updates
		var held []string         // uuids, in order
		seen := map[string]bool{} // by the current subscription
		subscription, count := 1, 0
		pick := func(t *rapid.T) string {
			if len(held) == 0 {
				t.Skip("nothing is held")
			}
			return rapid.SampledFrom(held).Draw(t, "uuid")
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				count++
				held = append(held, fmt.Sprint(count))
				u.add(anUpdate(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "task"), fmt.Sprint(count)), false)
			},
			"acknowledge": func(t *rapid.T) {
				uuid := pick(t)
				held = slices.DeleteFunc(held, func(h string) bool { return h == uuid })
				require.True(t, u.acknowledge(mesos.TaskID{Value: "a"}, []byte(uuid)))
			},
			"acknowledge what nobody sent": func(t *rapid.T) {
				require.False(t, u.acknowledge(mesos.TaskID{Value: "a"}, []byte("x")))
			},
			"subscribe": func(t *rapid.T) {
				subscription++
				_, calls := u.subscribe(subscription)
				var uuids []string
				for _, c := range calls {
					uuids = append(uuids, string(c.Status.UUID))
				}
				require.True(t, slices.Equal(held, uuids), "held %v, subscribed with %v", held, uuids)
				clear(seen)
				for _, h := range held {
					seen[h] = true
				}
			},
			"send": func(t *rapid.T) {
				status, ok := u.next(subscription)
				if !ok {
					t.Skip("nothing is due")
				}
				seen[string(status.UUID)] = true
				u.sent(status.UUID, subscription)
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(held), u.len())
				due := slices.IndexFunc(held, func(h string) bool { return !seen[h] })
				status, ok := u.next(subscription)
				require.Equal(t, due >= 0, ok)
				if ok {
					require.Equal(t, held[due], string(status.UUID))
				}
			},
		})
	})
}

func TestAStrayUpdateIsNotWaitedForOnceItWasSent(t *testing.T) {
	u := &updates{}
	stray := anUpdate("stranger", "1")
	u.add(stray, true)
	require.Equal(t, 1, u.len(), "it must be sent")
	u.sent(stray.UUID, 1)
	require.Zero(t, u.len())
	_, again := u.subscribe(2)
	require.Len(t, again, 1, "a new subscription carries it all the same")
}
