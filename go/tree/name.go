package tree

import (
	"fmt"
	"path"
	"strings"

	"github.com/dce-go/dce/go/cgroup"
)

// Root is where our trees are, but for slices.
const Root = "/dce"

// SliceRoot is where our slices are: systemd nests by dashes (systemd.slice(5)).
const SliceRoot = "/dce.slice"

const (
	slicePrefix = "dce-"
	sliceSuffix = ".slice"
)

// maxName is the longest name of a directory; systemd's units have the same bound.
const maxName = 255

// NameError says that a container's id can't name a cgroup.
type NameError struct{ Container string }

func (e *NameError) Error() string {
	return fmt.Sprintf("the container id %q can't name a cgroup: it takes 1 to %d bytes without \"/\", and is neither \".\" nor \"..\"", e.Container, maxName)
}

// Reason is what Mesos is told.
func (e *NameError) Reason() string { return "REASON_CONTAINER_LAUNCH_FAILED" }

// Parent is the cgroup parent that an engine with that driver is given for the pods of a container: a path, or with the systemd
// driver the name of a slice. Different containers have different ones.
func Parent(driver, container string) (string, error) {
	if container == "" || container == "." || container == ".." || strings.ContainsAny(container, "/\x00") {
		return "", &NameError{container}
	}
	name := container
	if driver == cgroup.DriverSystemd {
		name = slicePrefix + escape(container) + sliceSuffix
	}
	if len(name) > maxName {
		return "", &NameError{container}
	}
	if driver == cgroup.DriverSystemd {
		return name, nil
	}
	return path.Join(Root, name), nil
}

// Paths are the cgroups, as in /proc/<pid>/cgroup, that a container's tree may have: the one of each driver. None for an id that
// names no cgroup.
func Paths(container string) []string {
	var out []string
	for _, driver := range []string{cgroup.DriverCgroupfs, cgroup.DriverSystemd} {
		if parent, err := Parent(driver, container); err == nil {
			out = append(out, cgroup.ParentPath(driver, parent))
		}
	}
	return out
}

// Ours says whether a cgroup path is that of a tree of ours.
func Ours(p string) bool { return path.Dir(p) == Root || isSlice(p) }

// isSlice says whether the path is that of one of our slices.
func isSlice(p string) bool {
	name, ok := strings.CutPrefix(p, SliceRoot+"/"+slicePrefix)
	name, suffixed := strings.CutSuffix(name, sliceSuffix)
	return ok && suffixed && name != "" && !strings.ContainsAny(name, "-/")
}

// escape makes an id a part of a unit's name as systemd-escape(1) does, so that its dashes nest nothing; the colon goes too,
// because Docker has its own between the slice and the container.
func escape(id string) string {
	var b strings.Builder
	for i, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}
