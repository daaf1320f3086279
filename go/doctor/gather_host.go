package doctor

import (
	"bufio"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
)

func readKernel(proc string) (Kernel, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Kernel{}, err
	}
	k := Kernel{Release: unix.ByteSliceToString(name.Release[:])}
	k.Forwards = word(filepath.Join(proc, "sys/net/ipv4/ip_forward"))
	k.Bridges = word(filepath.Join(proc, "sys/net/bridge/bridge-nf-call-iptables"))
	text, err := os.ReadFile(filepath.Join(proc, "meminfo"))
	if err != nil {
		return k, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "SwapTotal:" {
			k.SwapKB, err = strconv.ParseUint(fields[1], 10, 64)
		}
	}
	return k, err
}

// word is the content of a small file, "" where it can't be read.
func word(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func readClock(self string) (Clock, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t) // changes nothing with no modes
	if err != nil {
		return Clock{}, fmt.Errorf("the kernel does not tell the state of its clock (adjtimex): %w", err)
	}
	c := Clock{Now: time.Now(), Synchronized: state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0,
		MaxError: time.Duration(t.Maxerror) * time.Microsecond}
	if info, err := os.Stat(self); err == nil {
		c.Built = info.ModTime()
	}
	return c, nil
}

// readDisk looks at the file system of a directory, or where it is not there yet, at that in which it would be made.
func readDisk(dir string) (Disk, error) {
	d := Disk{Wanted: dir, Path: filepath.Clean(dir)}
	for {
		var s unix.Statfs_t
		err := unix.Statfs(d.Path, &s)
		if errors.Is(err, fs.ErrNotExist) && d.Path != "/" && d.Path != "." {
			d.Path = filepath.Dir(d.Path)
			continue
		}
		if err != nil {
			return d, &fs.PathError{Op: "statfs", Path: d.Path, Err: err}
		}
		block := uint64(s.Bsize)
		d.Free, d.Total, d.FreeInodes, d.Inodes = s.Bavail*block, s.Blocks*block, s.Ffree, s.Files
		d.ReadOnly = s.Flags&unix.ST_RDONLY != 0
		return d, nil
	}
}

// readLimits reads those of a process, and of what it is in.
func readLimits(o Options, pid string) (Limits, error) {
	l := Limits{Of: "this process"}
	if pid != "self" {
		l.Of = "the agent, process " + pid
	}
	var err error
	if l.OpenFiles, err = openFiles(filepath.Join(o.Proc, pid, "limits")); err != nil {
		return l, err
	}
	load := strings.Fields(word(filepath.Join(o.Proc, "loadavg")))
	if len(load) > 3 {
		_, all, _ := strings.Cut(load[3], "/")
		l.Processes, _ = strconv.ParseUint(all, 10, 64) // 0 for what is no number
	}
	l.MaxPIDs, _ = strconv.ParseUint(word(filepath.Join(o.Proc, "sys/kernel/pid_max")), 10, 64)
	l.Threads, _ = strconv.ParseUint(word(filepath.Join(o.Proc, "sys/kernel/threads-max")), 10, 64)
	l.Groups, err = pidGroups(o.Cgroups, pid)
	return l, err
}

func openFiles(file string) (uint64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "Max open files"); ok {
			if fields := strings.Fields(rest); len(fields) > 0 && fields[0] != "unlimited" {
				return strconv.ParseUint(fields[0], 10, 64)
			}
			return 0, nil
		}
	}
	return 0, lines.Err()
}

// pidGroups are the cgroups of a process, up to the root, that bound how many processes there may be.
func pidGroups(where cgroup.Options, pid string) ([]PIDGroup, error) {
	host, err := cgroup.Open(where)
	if err != nil {
		return nil, err
	}
	hi, err := host.Hierarchy("pids")
	if err != nil {
		return nil, nil // said by another check
	}
	of, err := host.OfPid(pid)
	if err != nil {
		return nil, err
	}
	var out []PIDGroup
	for at := of[hi.Controllers[0]]; at != "/" && at != ""; at = path.Dir(at) {
		most, err := host.Read("pids", at, "pids.max")
		if err != nil || most == "max" {
			continue // a mount that shows a part, or no bound
		}
		g := PIDGroup{File: filepath.Join(hi.Dir, at, "pids.max")}
		if g.Max, err = strconv.ParseUint(most, 10, 64); err != nil {
			continue
		}
		if g.Now, err = host.ReadUint("pids", at, "pids.current"); err == nil {
			out = append(out, g)
		}
	}
	return out, nil
}

// readProgram reads the executor's file; with no name it is not there.
func readProgram(where string) (Program, error) {
	if where == "" {
		return Program{}, fs.ErrNotExist
	}
	p := Program{Path: where}
	info, err := os.Stat(where)
	if err != nil {
		return p, err
	}
	p.Mode = uint32(info.Mode().Perm())
	f, err := elf.Open(where)
	var format *elf.FormatError
	if errors.As(err, &format) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p, fmt.Errorf("%s is no program", where)
	}
	if err != nil {
		return p, err
	}
	defer f.Close()
	p.Machine, p.Static = f.Machine, true
	for _, s := range f.Progs {
		p.Static = p.Static && s.Type != elf.PT_INTERP
	}
	if info, err := buildinfo.ReadFile(where); err == nil {
		p.Main = info.Path
	}
	return p, nil
}

func isFile(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular()
}
