//go:build all

package fault

import "testing"

// What takes long, in every state, and for `make test-all` only.

func TestAllDockerdHangs(t *testing.T) { dockerdHangs(t, states...) }

func TestAllKillWhileDockerdHangs(t *testing.T) { killWhileDockerdHangs(t, states...) }

func TestAllLaunchesThatComeTwice(t *testing.T) { launchComesTwice(t, states...) }

func TestAllTheAgentIsGone(t *testing.T) { agentIsGone(t, states...) }

func TestAllAnEngineThatIsLostInTheMiddleOfALaunch(t *testing.T) {
	engineIsLost(t, "pulling", "creating", "starting", "waiting for healthy")
}
