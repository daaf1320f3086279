// Guest is the init of a virtual machine that has nothing but a kernel: it mounts the cgroups in the way that the kernel's command
// line asks for, runs the checks of packages cgroup, tree, qos and core that need such a kernel, prints one line of JSON for each and powers off.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
)

// Result is one line of the output, after Prefix.
type Result struct {
	Check  string  `json:"check"`
	OK     bool    `json:"ok"`
	Detail string  `json:"detail,omitempty"` // what was measured, or why it failed
	Took   float64 `json:"seconds"`
}

// Prefix tells results from what the kernel prints.
const Prefix = "RESULT "

type check struct {
	name string
	run  func(*cgroup.Host) (detail string, err error)
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "eat" {
		eat(os.Args[2])
	}
	if len(os.Args) == 2 && os.Args[1] == "spin" {
		spin()
	}
	defer func() {
		unix.Sync()
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}()
	checks, err := prepare()
	if err != nil {
		report(Result{Check: "prepare", Detail: err.Error()})
		return
	}
	host, err := cgroup.Open(cgroup.Options{Patience: 5 * time.Second})
	if err != nil {
		report(Result{Check: "open", Detail: err.Error()})
		return
	}
	for _, c := range checks {
		began := time.Now()
		detail, err := c.run(host)
		r := Result{Check: c.name, OK: err == nil, Detail: detail, Took: time.Since(began).Seconds()}
		if err != nil {
			r.Detail = strings.TrimSpace(detail + " " + err.Error())
		}
		report(r)
	}
	report(Result{Check: "end", OK: true})
}

func report(r Result) {
	line, err := json.Marshal(r)
	if err != nil {
		line = []byte(strconv.Quote(err.Error()))
	}
	fmt.Println(Prefix + string(line))
}

// prepare mounts what there is to mount. cgroups=v1 or cgroups=v2 on the kernel's command line say what is wanted.
func prepare() ([]check, error) {
	for _, m := range [][3]string{{"proc", "/proc", "proc"}, {"sysfs", "/sys", "sysfs"}, {"devtmpfs", "/dev", "devtmpfs"}} {
		if err := mount(m[2], m[1], ""); err != nil {
			return nil, err
		}
	}
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(cmdline), "cgroups=v2") {
		return v2, mount("cgroup2", "/sys/fs/cgroup", "")
	}
	if err := mount("tmpfs", "/sys/fs/cgroup", ""); err != nil {
		return nil, err
	}
	for _, controllers := range []string{"memory", "cpu,cpuacct", "pids"} {
		if err := mount("cgroup", "/sys/fs/cgroup/"+controllers, controllers); err != nil {
			return nil, err
		}
	}
	return slices.Insert(v1, len(v1)-1, modules...), nil
}

func mount(kind, dir, data string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kind, dir, kind, 0, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind, dir, err)
	}
	return nil
}
