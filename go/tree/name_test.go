package tree

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dce-go/dce/go/cgroup"
)

func TestParent(t *testing.T) {
	for id, want := range map[string][2]string{
		"e1b2-c3d4": {"/dce/e1b2-c3d4", `dce-e1b2\x2dc3d4.slice`},
		"plain":     {"/dce/plain", "dce-plain.slice"},
		".a.b:c@d":  {"/dce/.a.b:c@d", `dce-\x2ea.b\x3ac\x40d.slice`},
		`ü\`:        {`/dce/ü\`, `dce-\xc3\xbc\x5c.slice`},
	} {
		dir, err := Parent(cgroup.DriverCgroupfs, id)
		require.NoError(t, err)
		slice, err := Parent(cgroup.DriverSystemd, id)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{dir, slice})
		require.Equal(t, []string{want[0], "/dce.slice/" + want[1]}, Paths(id))
	}
	for _, id := range []string{"", ".", "..", "a/b", "a\x00b", strings.Repeat("a", 256)} {
		_, err := Parent(cgroup.DriverCgroupfs, id)
		var name *NameError
		require.ErrorAs(t, err, &name)
		require.Equal(t, "REASON_CONTAINER_LAUNCH_FAILED", name.Reason())
		require.Empty(t, Paths(id))
	}
	_, err := Parent(cgroup.DriverSystemd, strings.Repeat("-", 100))
	require.ErrorContains(t, err, "can't name a cgroup")
}

func TestOurs(t *testing.T) {
	for p, want := range map[string]bool{
		"/dce/a": true, "/dce/a/b": false, "/dce": false, "/": false, "/mesos/a": false, "/dcex/a": false,
		"/dce.slice/dce-a.slice": true, `/dce.slice/dce-a\x2db.slice`: true, "/dce.slice": false, "/dce.slice/dce-.slice": false,
		"/dce.slice/dce-a.slice/dce-a-b.slice": false, "/dce.slice/docker-a.scope": false, "/dce.slice/dce-a-b.slice": false,
	} {
		require.Equal(t, want, Ours(p), p)
	}
}

// unescape is what systemd-escape --unescape does.
func unescape(name string) string {
	return regexp.MustCompile(`\\x[0-9a-f]{2}`).ReplaceAllStringFunc(name, func(s string) string {
		n, _ := strconv.ParseUint(s[2:], 16, 8)
		return string([]byte{byte(n)})
	})
}

// Whatever an id holds, each container has its own cgroup, one level below our root, with a name that a unit may have.
func TestEveryContainerHasItsOwn(t *testing.T) {
	valid := regexp.MustCompile(`^dce-[a-zA-Z0-9:_.\\]+\.slice$`) // systemd: src/basic/unit-name.c, VALID_CHARS, no dash
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringN(1, 60, 60).Draw(t, "id")
		slice, err := Parent(cgroup.DriverSystemd, id)
		if err != nil {
			return
		}
		require.Regexp(t, valid, slice)
		require.Equal(t, id, unescape(strings.TrimSuffix(strings.TrimPrefix(slice, "dce-"), ".slice")), "no two ids have one name")
		for _, p := range Paths(id) {
			require.True(t, Ours(p), p)
			require.Equal(t, p, path.Clean(p))
			require.Contains(t, []string{"/dce", "/dce.slice"}, path.Dir(p))
		}
	})
}
