package launch

import (
	"fmt"
	"os"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
)

// Lowering takes CAP_SYS_RESOURCE, which root in a container may not have: then everything stays as it is, and it is said.
func TestTheExecutorIsSpared(t *testing.T) {
	const file = "/proc/self/oom_score_adj"
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	log, said := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	score := spareExecutor(log)
	now, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintln(score), string(now))
	if os.WriteFile(file, []byte("-1000"), 0) != nil {
		require.Equal(t, before, now)
		require.Contains(t, said.LastEntry().Message, "may not lower")
		return
	}
	require.Equal(t, executorScore(kernelRelease()), score)
	require.Equal(t, -1000, spareExecutor(log), "what is lower stays")
	now, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "-1000\n", string(now))
	require.Empty(t, said.AllEntries())
	require.NoError(t, os.WriteFile(file, before, 0))
}

func TestExecutorScore(t *testing.T) {
	for release, want := range map[string]int{
		"3.10.0-1160.el7.x86_64": -1000, "5.4.0-150-generic": -1000, "5.8.18": -1000, "5.9.0": -999, "5.10.0-35-cloud-amd64": -999, "6.1": -999, "": -999, "new": -999,
	} {
		require.Equal(t, want, executorScore(release), release)
	}
	require.NotEmpty(t, kernelRelease())
}
