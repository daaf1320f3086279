package compose

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// mustHold is what is true of every file: it is refused in one sentence, or it becomes a pod that is safe beside others.
func mustHold(t require.TestingT, text string, target Target, dir string) {
	require.NoError(t, os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(text), 0o644))
	spec, _, _, err := Build(context.Background(), Source{Dir: dir, Env: map[string]string{"SET": "x"}}, target)
	var refusal *Error
	if err != nil {
		require.True(t, errors.As(err, &refusal), "%v\n%s", err, text)
		require.NotContains(t, err.Error(), "\n", text)
		require.NotEmpty(t, refusal.Problem, text)
		require.NotEmpty(t, refusal.Fix, text)
		return
	}
	all := spec.Services
	if spec.Infra != nil {
		all = append([]engine.ContainerSpec{*spec.Infra}, all...)
	}
	seen, essential := map[string]bool{}, false
	for _, c := range all {
		require.True(t, strings.HasPrefix(c.Name, spec.ID+"-"), text)
		require.False(t, seen[c.Name], text)
		seen[c.Name], essential = true, essential || c.Essential
		require.Equal(t, target.CgroupParent, c.Host.CgroupParent, text)
		require.Equal(t, container.RestartPolicyDisabled, c.Host.RestartPolicy.Name, text)
		_, pod, ours := labels.Parse(c.Config.Labels)
		require.True(t, ours && pod == spec.ID, text)
		require.NotContains(t, c.Config.Labels, labels.ComposeConfigHash, text)
		if strings.HasPrefix(string(c.Host.NetworkMode), "container:") {
			require.Empty(t, c.Host.PortBindings, text)
			require.Empty(t, c.Config.ExposedPorts, text)
			require.Empty(t, c.Config.Hostname+strings.Join(c.Host.ExtraHosts, "")+strings.Join(c.Host.DNS, ""), text)
			require.Empty(t, c.Networks, text)
		}
	}
	require.True(t, essential, text)
	for _, network := range spec.Networks {
		require.True(t, strings.HasPrefix(network.Name, spec.ID+"_"), text)
	}
	for _, volume := range spec.Volumes {
		require.Equal(t, !volume.Keep, volume.Options.Labels[labels.Pod] == spec.ID, text)
	}
}

func FuzzBuild(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/compose.yaml")
	require.NoError(f, err)
	require.NotEmpty(f, seeds)
	for _, seed := range seeds {
		text, err := os.ReadFile(seed)
		require.NoError(f, err)
		f.Add(string(text))
	}
	for _, text := range []string{
		"", "a", "[", "services:", "services: {a: }", "services: {a: {image: }}", "services: {a: {image: i, ports: [[]]}}",
		"services: {a: {image: i, volumes: [{}]}}", "services: {a: {image: i, networks: [null]}}", "services: {? [a] : b}",
		"services: {a: &a {image: i, x-a: *a}}", "include: [[]]", "services: {a: {extends: {}}}", "configs: {c: 1}",
		"services: {a: {image: i, ulimits: {x: {soft: a}}}}", "services: {a: {image: i, healthcheck: {test: [1]}}}", "name: 1",
		"a: &a [*a]", "services: {a: {image: i, environment: [{}]}}", "\x00", "services: {a: {image: i, links: ['a:b:c:d']}}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { mustHold(t, text, target(), t.TempDir()) })
}

// Random keys of the schema with values that fit, nearly fit, or make no sense.
func TestNoFileBreaksIt(t *testing.T) {
	var keys []string
	for _, path := range schema.AttributePaths() {
		if parts := path.Parts(); len(parts) == 3 && parts[0] == "services" && parts[1] == "*" {
			keys = append(keys, parts[2])
		}
	}
	fitting := map[string][]any{
		"ports":        {[]any{"80"}, []any{"8080:80", "53:53/udp"}, []any{map[string]any{"target": 443, "name": "https"}}},
		"expose":       {[]any{"80"}, []any{"1-65535"}},
		"network_mode": {"host", "none", "bridge", "service:b", "container:x", "lan"},
		"ipc":          {"host", "service:b", "shareable", "private"},
		"pid":          {"host", "service:b"},
		"networks":     {[]any{"n"}, map[string]any{"n": map[string]any{"ipv4_address": "10.0.0.2", "aliases": []any{"x"}}}},
		"volumes":      {[]any{"v:/v", "./x:/x:ro", "/anon"}},
		"volumes_from": {[]any{"b:ro"}},
		"depends_on":   {[]any{"b"}, map[string]any{"b": map[string]any{"condition": "service_completed_successfully"}}},
		"scale":        {0, 1, 3},
		"deploy":       {map[string]any{"replicas": 2, "resources": map[string]any{"limits": map[string]any{"memory": "1m"}}}},
		"healthcheck":  {map[string]any{"test": "x"}, map[string]any{"disable": true}},
		"labels":       {map[string]any{labels.Essential: "true", labels.Pod: "x"}, []any{labels.ComposeConfigHash + "=x"}},
		"environment":  {map[string]any{"A": nil, "SET": nil}, []any{"A=${SET}"}},
		"secrets":      {[]any{"s"}}, "configs": {[]any{map[string]any{"source": "c", "target": "x", "uid": "1"}}},
		"sysctls": {map[string]any{"net.a": "1", "kernel.sem": "2"}}, "extra_hosts": {[]any{"b:10.0.0.1"}},
		"links": {[]any{"b:c"}}, "hostname": {"h"}, "dns": {"10.0.0.1"}, "tmpfs": {"/t:size=1"}, "read_only": {true},
	}
	junk := []any{nil, "", "x", 0, -1, 1.5, true, []any{}, map[string]any{}, []any{"x"}, []any{nil}, []any{[]any{}}, map[string]any{"x": nil}, "${", "~/x", "a:b:c:d"}
	service := func(rt *rapid.T) map[string]any {
		s := map[string]any{"image": "i"}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 6, rapid.ID).Draw(rt, "keys") {
			values := fitting[key]
			if len(values) == 0 || rapid.IntRange(0, 9).Draw(rt, "junk") == 0 {
				values = junk
			}
			s[key] = rapid.SampledFrom(values).Draw(rt, key)
		}
		return s
	}
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		text, err := json.Marshal(map[string]any{
			"services": map[string]any{"a": service(rt), "b": service(rt)},
			"networks": map[string]any{"n": map[string]any{}}, "volumes": map[string]any{"v": nil},
			"secrets": map[string]any{"s": map[string]any{"environment": "SET"}}, "configs": map[string]any{"c": map[string]any{"content": "x"}},
		})
		require.NoError(rt, err)
		modes := rapid.SampledFrom([]string{NetworkPod, NetworkCompose, NetworkHost, NetworkNone, "lan"})
		mustHold(rt, string(text), target(mode(modes.Draw(rt, "mode")), func(t *Target) {
			t.Share = rapid.SampledFrom([][]string{nil, {"net"}, {"ipc", "pid"}}).Draw(rt, "share")
			t.Offered = rapid.SampledFrom([][]uint16{nil, {31000, 31001, 31002}}).Draw(rt, "offered")
		}), dir)
	})
}
