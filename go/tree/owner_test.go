package tree

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
)

// On this machine's kernel: a tree without any container says whose it is.
func TestOwner(t *testing.T) {
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	owner := Owner{"/var/lib/mesos", "f é", "e", fmt.Sprintf("test-owner-%d", os.Getpid())}
	tree, err := New(host, cgroup.DriverCgroupfs, owner.Container)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tree.Remove(context.Background())) })
	require.NoError(t, tree.Claim(owner), "of nothing")
	require.NoError(t, tree.Make(t.Context(), Limits{}), "this test makes cgroups on this machine: run it as root")
	require.NoError(t, tree.Claim(owner))
	all, err := Owned(host)
	require.NoError(t, err)
	var mine []Claimed
	for _, one := range all {
		if one.Container == owner.Container {
			mine = append(mine, one)
		}
	}
	require.Len(t, mine, 1)
	require.Equal(t, owner, mine[0].Owner)
	require.Equal(t, tree.Path, mine[0].Path)
	require.WithinDuration(t, time.Now(), mine[0].Since, time.Minute)
}

// What does not say whose it is, or says what can't be, is nobody's that we know.
func TestOwnedByNobody(t *testing.T) {
	root, host := fakeHost(t, true)
	for name, owner := range map[string]string{"none": "", "garbage": "wh\xffat?", "other": "/s\nf\ne\nelse", "short": "/s\nf", "a-1": "/s\nf\ne\na-1"} {
		dir := filepath.Join(root, "cg/dce", name)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		if owner != "" {
			require.NoError(t, unix.Setxattr(dir, ownerAttribute, []byte(owner), 0), "this test sets attributes: run it as root")
		}
	}
	slice := filepath.Join(root, "cg/dce.slice", unit)
	require.NoError(t, os.MkdirAll(slice, 0o755))
	require.NoError(t, At(host, "/dce.slice/"+unit).Claim(Owner{"/s", "f", "e", "a-1"}))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "cg/dce.slice/other.slice"), 0o755))
	all, err := Owned(host)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, []string{"/dce/a-1", "/dce.slice/" + unit}, []string{all[0].Path, all[1].Path})
}
