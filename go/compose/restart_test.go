package compose

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

func TestRestartPolicies(t *testing.T) {
	for keys, want := range map[string]engine.Restart{
		"":                             {},
		`restart: "no"`:                {},
		"restart: always":              {On: engine.RestartAlways},
		"restart: unless-stopped":      {On: engine.RestartAlways},
		"restart: on-failure":          {On: engine.RestartOnFailure},
		"restart: on-failure:3":        {On: engine.RestartOnFailure, Attempts: 3},
		"deploy: {restart_policy: {}}": {On: engine.RestartAlways},
		"deploy: {restart_policy: {condition: none}}\n    restart: always": {},
		"deploy: {restart_policy: {condition: on-failure, delay: 5s, max_attempts: 2, window: 1m}}": {
			On: engine.RestartOnFailure, Attempts: 2, Delay: 5 * time.Second, Window: time.Minute},
	} {
		b := build(t, "services:\n  web:\n    image: i\n    "+keys+"\n", target())
		require.Equal(t, want, b.spec.Services[0].Restart, keys)
	}
}
