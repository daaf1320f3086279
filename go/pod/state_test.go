package pod

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

// Sentences name the file that the output of a service is in, also where several pods share a sandbox.
func TestWhereToLook(t *testing.T) {
	for folder, want := range map[string]string{"": "look at logs/web.log,", "logs-dce-x": "look at logs-dce-x/web.log,"} {
		spec := engine.PodSpec{Services: []engine.ContainerSpec{{Service: "web", Name: "x-web-1", Logs: folder}}}
		require.Contains(t, unhealthy(members(spec)["x-web-1"]).Message, want)
	}
}
