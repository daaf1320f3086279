package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dce-go/dce/go/engine"
)

// drawPod is a pod whose services depend on earlier ones only, and something of it that is there already.
func drawPod(t *rapid.T) (engine.PodSpec, engine.Observed) {
	var services []engine.ContainerSpec
	n := rapid.IntRange(1, 8).Draw(t, "services")
	order := rapid.Permutation([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(t, "names")
	there := map[string]engine.Status{}
	status := rapid.SampledFrom([]engine.Status{"", engine.StatusCreated, engine.StatusRunning, engine.StatusExited})
	for i := range n {
		c := aService(order[i])
		c.Image = rapid.SampledFrom([]string{"i", "j"}).Draw(t, "image")
		c.Health = rapid.SampledFrom([]engine.HealthSource{engine.HealthFile, engine.HealthImage}).Draw(t, "health")
		c.Init = rapid.Bool().Draw(t, "init")
		if rapid.Bool().Draw(t, "files") {
			c.Files = []engine.File{{Path: "/f"}}
		}
		for j := range i {
			switch rapid.IntRange(0, 5).Draw(t, fmt.Sprint(i, "on", j)) {
			case 0:
				c = after(c, order[j]+":service_started")
			case 1:
				c = after(c, order[j]+":service_completed_successfully?")
			case 2:
				if services[j].Health == engine.HealthFile {
					c = after(c, order[j]+":service_healthy")
				}
			}
		}
		services = append(services, c)
		if s := status.Draw(t, "there"); s != "" {
			there[c.Service] = s
		}
	}
	if s := status.Draw(t, "infra there"); s != "" {
		there["infra"] = s
	}
	images := rapid.SampledFrom([][]string{nil, {"i"}, {"j"}, {"i", "j"}}).Draw(t, "images")
	return aPod(podID, "i", services...), here(images, there)
}

func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, seen := drawPod(t)
		plan, err := engine.NewPlan(spec, seen)
		require.NoError(t, err)
		again, err := engine.NewPlan(spec, seen)
		require.NoError(t, err)
		require.Equal(t, plan.String(), again.String(), "the same input gives the same plan")

		made, started, pulled := map[string]int{}, map[string]*engine.Op{}, map[string]int{}
		waits := map[string]*engine.Op{}
		for i, o := range plan.Ops {
			require.Equal(t, i+1, o.ID)
			require.NotEmpty(t, o.Cause)
			for _, n := range o.Needs {
				require.Less(t, n.Op.ID, o.ID, "an operation stands behind what it needs")
				require.Same(t, plan.Ops[n.Op.ID-1], n.Op)
			}
			switch o.Kind {
			case engine.OpCreate:
				made[o.Container.Name]++
			case engine.OpStart:
				require.Nil(t, started[o.Container.Name])
				started[o.Container.Name] = o
			case engine.OpPull, engine.OpLoad:
				pulled[o.Image]++
			case engine.OpWait:
				waits[o.Container.Service+":"+string(o.Condition)] = o
			default: // nothing is said of the others here
			}
		}
		for image, n := range pulled {
			require.Equal(t, 1, n, "one pull of %s", image)
			require.NotContains(t, seen.Images, image)
		}
		status := map[string]engine.Status{}
		for _, c := range seen.Containers {
			status[c.Name] = c.Status
		}
		for _, c := range append([]engine.ContainerSpec{*spec.Infra}, spec.Services...) {
			_, starts := started[c.Name]
			switch was := status[c.Name]; {
			case was == "" || was == engine.StatusExited:
				require.Equal(t, 1, made[c.Name], "%s is made once", c.Name)
				require.True(t, starts)
			case was == engine.StatusCreated:
				require.Zero(t, made[c.Name])
				require.True(t, starts)
			case was == engine.StatusRunning:
				require.Equal(t, starts, made[c.Name] == 1, "what runs is left alone or made anew")
			}
			for _, d := range c.Needs {
				start, wait := started[c.Name], waits[d.Service+":"+string(d.Condition)]
				if start != nil && wait != nil {
					at := slices.IndexFunc(start.Needs, func(n engine.Need) bool { return n.Op == wait })
					require.GreaterOrEqual(t, at, 0, "%s waits for %s", c.Service, d.Service)
					require.Equal(t, !d.Required, start.Needs[at].Optional)
				}
			}
		}
	})
}

func TestACycleIsAlwaysFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, seen := drawPod(t)
		n := rapid.IntRange(2, 5).Draw(t, "length")
		for i := range n {
			c := after(aService(fmt.Sprintf("x%d", i)), fmt.Sprintf("x%d:service_started", (i+1)%n))
			c.Name = podID + "-" + c.Service + "-1"
			spec.Services = append(spec.Services, c)
		}
		_, err := engine.NewPlan(spec, seen)
		require.ErrorContains(t, err, "circle, x0 -> x1")
	})
}
