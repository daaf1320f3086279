package launch

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/qos"
)

func TestApplyQoS(t *testing.T) {
	const mb = 1 << 20
	has := grant{Bounds: qos.Bounds{Request: qos.Resources{CPUs: 1, Memory: 256 * mb}, Limit: qos.Resources{Memory: 256 * mb}}, cpus: 1}
	pod := func(services ...engine.ContainerSpec) engine.PodSpec {
		return engine.PodSpec{Infra: &engine.ContainerSpec{Service: "infra", Host: &container.HostConfig{}}, Services: services}
	}
	is := func(name string, reserved float64, r container.Resources) engine.ContainerSpec {
		return engine.ContainerSpec{Service: name, Reserved: reserved, Host: &container.HostConfig{Resources: r}}
	}
	limited := container.Resources{Memory: 64 * mb, NanoCPUs: 5e8}

	log, said := test.NewNullLogger()
	spec := pod(is("db", 0.25, container.Resources{MemoryReservation: 128 * mb}), is("web", 0, container.Resources{}))
	class, err := applyQoS(spec, has, config.QoSAuto, qos.ExecutorScore, log)
	require.NoError(t, err)
	require.Equal(t, qos.Burstable, class)
	db, web := spec.Services[0].Host, spec.Services[1].Host
	require.Equal(t, []int{-998, 250, 750}, []int{spec.Infra.Host.OomScoreAdj, db.OomScoreAdj, web.OomScoreAdj})
	require.Equal(t, []int64{2, 256, 512}, []int64{spec.Infra.Host.CPUShares, db.CPUShares, web.CPUShares})
	require.Equal(t, []int64{0, 128 * mb, 0}, []int64{spec.Infra.Host.MemoryReservation, db.MemoryReservation, web.MemoryReservation})

	spec = pod(is("web", 0, limited))
	class, err = applyQoS(spec, has, config.QoSAuto, qos.ExecutorScore, log)
	require.NoError(t, err)
	require.Equal(t, qos.Guaranteed, class)
	require.Equal(t, -997, spec.Services[0].Host.OomScoreAdj)
	require.EqualValues(t, 64*mb, spec.Services[0].Host.MemoryReservation)
	require.Empty(t, said.AllEntries())

	spec = pod(is("web", 0, limited))
	class, err = applyQoS(spec, has, "burstable", 0, log)
	require.NoError(t, err)
	require.Equal(t, qos.Burstable, class, "a lower class may be asked for")
	require.Equal(t, 3, spec.Services[0].Host.OomScoreAdj)

	spec = pod(is("web", 0, limited))
	_, err = applyQoS(spec, has, "guaranteed", 0, log)
	require.NoError(t, err)
	require.Equal(t, 1, spec.Services[0].Host.OomScoreAdj)
	require.Contains(t, said.LastEntry().Message, "run it as root")

	spec = pod(engine.ContainerSpec{Service: "web", Host: &container.HostConfig{OomScoreAdj: -1000, Resources: container.Resources{CPUShares: 7}}}, engine.ContainerSpec{})
	_, err = applyQoS(spec, has, config.QoSAuto, qos.ExecutorScore, log)
	require.NoError(t, err)
	require.Equal(t, -998, spec.Services[0].Host.OomScoreAdj)
	require.EqualValues(t, 7, spec.Services[0].Host.CPUShares)
	require.Contains(t, said.LastEntry().Message, "asks for oom_score_adj -1000")

	_, err = applyQoS(pod(is("web", 0, container.Resources{})), has, "guaranteed", 0, log)
	var contradicted *qos.ContradictionError
	require.ErrorAs(t, err, &contradicted)
	require.Greater(t, hostMemory(), uint64(mb))
}
