package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/qos"
)

// scores is killOrder of this class.
func scores(class qos.Class, killed ...string) func(*cgroup.Host, string) (string, error) {
	return func(h *cgroup.Host, path string) (string, error) { return killOrder(h, path, class, killed) }
}

// killOrder puts an executor and two containers into a pod, gives them the scores that their class has, and lets them run out of the
// pod's memory together. The first that is killed has to be one of killed, and the executor is never.
func killOrder(h *cgroup.Host, path string, class qos.Class, killed []string) (string, error) {
	const limit = 64 * mb
	pod := qos.Pod{
		Task:     qos.Bounds{Request: qos.Resources{CPUs: 1, Memory: limit}, Limit: qos.Resources{Memory: limit}},
		Services: []qos.Service{{Name: "db", Bounds: qos.Bounds{Request: qos.Resources{Memory: 48 * mb}}}, {Name: "web"}},
	}
	settings := pod.Settings(class, qos.Host{Executor: qos.ExecutorScore})
	members := []struct {
		name  string
		score int
		mb    int
	}{{"executor", qos.ExecutorScore, 8}, {"db", settings[0].Score, 32}, {"web", settings[1].Score, 30}}

	if err := limitMemory(h, path, limit); err != nil {
		return "", err
	}
	var mu sync.Mutex
	var told []cgroup.OOM
	watch, err := h.WatchOOM(path, func(o cgroup.OOM) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, o)
	}, func(error) {})
	if err != nil {
		return "", err
	}
	defer watch.Close()
	for _, m := range members {
		if err := h.Create(path + "/" + m.name); err != nil {
			return "", err
		}
		e, err := newEater(h, path+"/"+m.name, "eat", strconv.Itoa(m.mb))
		if err != nil {
			return "", err
		}
		defer e.end()
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", e.cmd.Process.Pid), []byte(strconv.Itoa(m.score)), 0); err != nil {
			return "", err
		}
		_ = e.fill()
	}
	time.Sleep(500 * time.Millisecond) // to die, and for the kill to be told
	watch.Close()
	live, err := h.Procs(path + "/executor")
	if err != nil || len(told) == 0 {
		return fmt.Sprintf("%+v", members), errors.Join(err, errors.New("no kill was seen"))
	}
	one := false
	for _, name := range killed {
		one = one || told[0].Name == name
	}
	return fmt.Sprintf("%s was killed first, of %+v", told[0].Name, members), expect(map[string]bool{
		fmt.Sprintf("one of %v goes first", killed): one, "the executor lives": len(live) > 0,
	})
}
