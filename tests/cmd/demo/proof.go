package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"

	"github.com/dce-go/dce/go/labels"
)

// groups are the folders of a cgroup in the hierarchies of this host, memory first.
func groups(parent string) []string {
	found, err := filepath.Glob(filepath.Join("/sys/fs/cgroup", "*", parent))
	if err != nil {
		return nil
	}
	memory := filepath.Join("/sys/fs/cgroup/memory", parent)
	if i := slices.Index(found, memory); i > 0 {
		found[0], found[i] = found[i], found[0]
	}
	unified := filepath.Join("/sys/fs/cgroup", parent) // cgroup v2
	if _, err := os.Stat(unified); err == nil {
		found = append(found, unified)
	}
	return found
}

// showCgroup prints the task's cgroup with its limit, and every container in it.
func (p *pod) showCgroup() error {
	all := groups(p.parent)
	if len(all) == 0 {
		return fmt.Errorf("there is no cgroup %s, though the containers have it as their parent", p.parent)
	}
	memory := all[0]
	for _, file := range []string{"memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max", "memory.current"} {
		if value, err := os.ReadFile(filepath.Join(memory, file)); err == nil {
			fmt.Printf("  %s = %s MiB\n", filepath.Join(memory, file), mib(strings.TrimSpace(string(value))))
		}
	}
	for _, c := range p.containers {
		found := ""
		err := filepath.WalkDir(memory, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && strings.Contains(d.Name(), c.ID) {
				found = path
				return fs.SkipAll
			}
			return err
		})
		if err != nil {
			return err
		}
		if found == "" {
			return fmt.Errorf("container %s is not under %s", c.Names[0], memory)
		}
		fmt.Printf("  %-6s …/%s…\n", c.Labels[labels.Service], strings.TrimPrefix(found, filepath.Dir(memory)+"/")[:len(filepath.Base(memory))+13])
	}
	return nil
}

func mib(bytes string) string {
	n, err := strconv.ParseFloat(bytes, 64)
	if err != nil {
		return bytes
	}
	return strconv.FormatFloat(n/(1<<20), 'f', 1, 64)
}

// nothingLeft looks for what the task may have left, and says that there is nothing.
func nothingLeft(ctx context.Context, cli *client.Client, t *task) error {
	say("Nothing is left")
	ours := filters.NewArgs(filters.Arg("label", labels.Pod+"="+t.podID))
	containers, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return err
	}
	networks, err := cli.NetworkList(ctx, network.ListOptions{Filters: ours})
	if err != nil {
		return err
	}
	volumes, err := cli.VolumeList(ctx, volume.ListOptions{Filters: ours})
	if err != nil {
		return err
	}
	cgroups := groups(t.parent)
	fmt.Printf("  containers %d, networks %d, volumes %d, cgroups %d\n", len(containers), len(networks), len(volumes.Volumes), len(cgroups))
	if len(containers)+len(networks)+len(volumes.Volumes)+len(cgroups) > 0 {
		return errors.New("the task left something behind")
	}
	return nil
}
