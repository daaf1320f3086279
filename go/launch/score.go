package launch

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/qos"
)

// spareExecutor has the kernel kill the executor last of all in the pod: it has to report what was killed. Only root may. It returns
// the oom_score_adj that the executor has.
func spareExecutor(log logrus.FieldLogger) (score int) {
	const file = "/proc/self/oom_score_adj"
	text, err := os.ReadFile(file)
	if err == nil {
		wanted := executorScore(kernelRelease())
		if score, err = strconv.Atoi(strings.TrimSpace(string(text))); err == nil && score > wanted {
			if err = os.WriteFile(file, []byte(strconv.Itoa(wanted)), 0); err == nil {
				score = wanted
			}
		}
	}
	if err != nil {
		log.WithError(err).Debug("The executor may not lower its own oom_score_adj.")
	}
	return score
}

// executorScore is what the executor should have. Kernels before 5.9 take all processes for equals that have fewer points than
// their oom_score_adj takes away (mm/oom_kill.c, oom_badness: "points > 0 ? points : 1"), and kill the first of them, which is the
// executor: there it is never to be killed. A release that is no version is taken for a new one.
func executorScore(release string) int {
	const never = -1000 // OOM_SCORE_ADJ_MIN
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err == nil && (major < 5 || major == 5 && minor < 9) {
		return never
	}
	return qos.ExecutorScore
}

func kernelRelease() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
