//go:build all

package reap

import (
	"testing"
	"time"
)

func TestAllEngineThatHangs30Seconds(t *testing.T) { engineHangs(t, 30*time.Second) }

func TestAllEngineThatIsDownAMinute(t *testing.T) { engineDown(t, time.Minute) }

// TestAll300LeakedPods at once. For so many the limit is more than Docker itself takes on a slow machine.
func TestAll300LeakedPods(t *testing.T) { manyLeaked(t, 300, time.Minute) }
