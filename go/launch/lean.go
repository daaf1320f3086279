package launch

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/pod"
)

// lean gives the memory of preparation back to the kernel once a pod runs: the executor lives in the pod's own limit, and
// loading compose files takes many times what watching a pod does.
func lean(report func(pod.Status)) func(pod.Status) {
	var once sync.Once
	return func(s pod.Status) {
		report(s)
		if s.State == pod.Running {
			once.Do(func() {
				go func() {
					debug.FreeOSMemory()
					dropProgram()
				}()
			})
		}
	}
}

// dropProgram unmaps the pages of the program's own file that were read so far. Most of them served the start and the
// loading of compose files; what is used again comes back from the page cache at the price of a minor fault.
func dropProgram() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var begin, end uintptr
		var perms string
		_, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &begin, &end, &perms)
		// A page that was ever written to would be lost, and a linker may have relocated read-only data: only code is dropped.
		if err != nil || !strings.HasSuffix(lines.Text(), " "+exe) || !strings.HasPrefix(perms, "r-x") {
			continue
		}
		_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_DONTNEED) // refused is as good as not asked
	}
}
