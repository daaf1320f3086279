package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/versions"
)

// minAPI is the engine package's; below goodAPI commands of health checks can't be given an environment, and bind
// mounts and platforms are limited.
const (
	minAPI  = "1.24"
	goodAPI = "1.41" // Docker 20.10, the first to say what cgroups it has
)

func engineAnswers(f Facts) Finding {
	e := f.Engine.Value
	if f.Engine.Err != nil {
		return engineFails(f)
	}
	if !e.Local {
		return warn("run Docker on each agent, and name its unix:// socket", "Docker %s answers at %s (from %s), which is another host's or seems so: pods are then not under the task's cgroup", e.Version, e.Host, e.Source)
	}
	if e.Rootless {
		return fail("run dockerd as root", "Docker %s at %s (from %s) runs without root, and can't put containers into the task's cgroup", e.Version, e.Host, e.Source)
	}
	return ok("Docker %s answers at %s (from %s) in %s", e.Version, e.Host, e.Source, e.Took.Round(time.Millisecond))
}

// engineFails takes the sentence of the engine package. Where nobody answers, or the address is none, it ends in what to do.
func engineFails(f Facts) Finding {
	e, saw, fix := f.Engine.Value, f.Engine.Err.Error(), "look into dockerd's log, and whether it is Docker that listens there"
	if err := f.Engine.Err; errdefs.IsUnavailable(err) || errdefs.IsInvalidArgument(err) {
		for _, end := range []string{"; ", ": "} {
			if at := strings.LastIndex(saw, end); at > 0 {
				saw, fix = saw[:at], saw[at+len(end):]
				break
			}
		}
	}
	if e.Host != "" && !strings.Contains(saw, e.Host) {
		saw = fmt.Sprintf("the engine at %s (from %s) is silent: %s", e.Host, e.Source, saw)
	}
	return fail(fix, "%s", saw)
}

func apiVersion(f Facts) Finding {
	if f.Engine.Err != nil {
		return f.notSeen(errNoEngine)
	}
	switch v := f.Engine.Value.APIVersion; {
	case versions.LessThan(v, minAPI):
		return fail("upgrade Docker", "the engine speaks API %s, and dce needs %s", v, minAPI)
	case versions.LessThan(v, goodAPI):
		return warn("upgrade Docker to 20.10 or newer, or unset DOCKER_API_VERSION", "the engine speaks API %s; below %s it does not say what cgroups it has, and some keys of compose files are refused", v, goodAPI)
	default:
		return ok("API %s, of which %s is needed", v, minAPI)
	}
}

// The storage drivers by what they are good for (docs.docker.com/engine/storage/drivers/select-storage-driver).
var (
	goodStorage = []string{"overlay2", "overlayfs", "fuse-overlayfs", "btrfs", "zfs", "native"}
	goneStorage = []string{"aufs", "devicemapper", "overlay"} // newer versions of Docker do not have them
)

func storageDriver(f Facts) Finding {
	if f.Engine.Err != nil {
		return f.notSeen(errNoEngine)
	}
	const fix = `set "storage-driver": "overlay2" in /etc/docker/daemon.json and restart dockerd (images are then pulled again)`
	e := f.Engine.Value
	switch {
	case e.StorageStatus["Supports d_type"] == "false":
		return warn("make the file system anew with d_type (mkfs.xfs -n ftype=1), or move Docker's data-root", "%s lies in %s, whose file system has no d_type: files that containers remove come back", e.Storage, e.RootDir)
	case e.Storage == "vfs":
		return warn(fix, "vfs copies the whole image for each container in %s: slow, and much disk", e.RootDir)
	case slices.Contains(goneStorage, e.Storage):
		return warn(fix, "%s in %s, which newer versions of Docker do not have any more", e.Storage, e.RootDir)
	case !slices.Contains(goodStorage, e.Storage):
		return warn(fix, "%s in %s, which is not known to serve", e.Storage, e.RootDir)
	}
	return ok("%s in %s", e.Storage, e.RootDir)
}

func liveRestore(f Facts) Finding {
	switch {
	case f.Engine.Err != nil:
		return f.notSeen(errNoEngine)
	case !f.Engine.Value.LiveRestore:
		return warn(`set "live-restore": true in /etc/docker/daemon.json and send dockerd SIGHUP`, "off: a restart of dockerd ends all pods of this host")
	}
	return ok("on: pods outlive a restart of dockerd")
}
