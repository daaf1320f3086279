package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDefaults(t *testing.T) {
	c, err := Load(Input{})
	require.NoError(t, err)
	require.Equal(t, "service", c.Pod.Kind)
	require.Equal(t, []string{"net"}, c.Pod.Share)
	require.Equal(t, "pod", c.Network.Mode)
	require.Equal(t, "missing", c.Image.Pull)
	require.Equal(t, 15*time.Minute, c.Launch.Timeout)
	require.Equal(t, 10*time.Second, c.Stop.Grace)
	require.Equal(t, 2*time.Minute, c.Engine.LostTimeout)
	require.Equal(t, "fail", c.Monitor.Unhealthy)
	require.Empty(t, c.Compose.Files)
	require.False(t, c.Ports.AllowStatic)
	require.Equal(t, "info", c.Log.Level)
	require.Equal(t, "text", c.Log.Format)
	require.Equal(t, QoSAuto, c.QoS)
	require.Zero(t, c.Pids.Limit)
	for _, k := range Keys() {
		require.Equal(t, "default", c.Source(k.Name).String())
	}
	require.Panics(t, func() { c.Source("no.such") })
}

// Every key has a field of the type it names, and every field of Config has a key.
func TestTableFitsConfig(t *testing.T) {
	var c Config
	fields := map[uintptr]string{}
	for _, k := range Keys() {
		p := k.field(&c)
		at := reflect.ValueOf(p).Pointer()
		require.NotContains(t, fields, at, "%s shares its field with another key", k.Name)
		fields[at] = k.Name
		want := map[Type]any{String: new(string), Choice: new(string), Bool: new(bool), Duration: new(time.Duration), Number: new(uint64), List: new([]string)}[k.Type]
		require.IsType(t, want, p, k.Name)
		require.NotEmpty(t, k.Doc)
		require.NotContains(t, k.Doc, "\n")
		require.NotContains(t, k.Doc, "|")
		require.Equal(t, k.Type == Choice, k.Type != List && len(k.Choices) > 0, k.Name)
	}
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		switch {
		case !v.Type().Field(i).IsExported():
			continue
		case v.Field(i).Kind() != reflect.Struct:
			require.Contains(t, fields, v.Field(i).Addr().Pointer(), v.Type().Field(i).Name)
			continue
		}
		for j := range v.Field(i).NumField() {
			require.Contains(t, fields, v.Field(i).Field(j).Addr().Pointer(), v.Type().Field(i).Name)
		}
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	return file
}

func TestLayers(t *testing.T) {
	host := write(t, "host.yaml", "# of this host\nlog:\n  level: warn\n  format: json\nstop.grace: 20s\nlaunch: {timeout: 1mins}\nengine: {host: tcp://h:1}\n")
	own := write(t, "own.yaml", "stop: {grace: 30secs}\nlog: {level: debug}\ncompose:\n  files: [a.yml, b.yml]\npod: {share: 'net,ipc'}\n")
	in := Input{
		Files:   []string{host, filepath.Join(t.TempDir(), "missing.yaml"), own},
		Environ: []string{"PATH=/bin", "DCE_LOG_LEVEL=error", "DCE_POD_KIND=job", "DCE_CGROUP_PARENT=/x", "DCE_TEST_ANY=1", "DCE_ENGINE_HOST=", "DCE_STOP_GRACE=1m"},
		Labels:  map[string]string{"dce.log.level": "trace", "HAPROXY_GROUP": "external", "dce": "x", "dce.compose.visible": " TRUE "},
	}
	c, err := Load(in)
	require.NoError(t, err)
	for key, want := range map[string][2]string{
		"log.level":       {"trace", "label dce.log.level"},
		"log.format":      {"json", host + ":4"},
		"pod.kind":        {"job", "DCE_POD_KIND"},
		"stop.grace":      {"1m0s", "DCE_STOP_GRACE"},
		"launch.timeout":  {"1m0s", host + ":6"},
		"engine.host":     {"tcp://h:1", host + ":7"},
		"compose.files":   {"a.yml,b.yml", own + ":4"},
		"pod.share":       {"net,ipc", own + ":5"},
		"compose.visible": {"true", "label dce.compose.visible"},
		"network.mode":    {"pod", "default"},
	} {
		require.Equal(t, want, [2]string{c.Value(key), c.Source(key).String()}, key)
	}
	require.Equal(t, []string{"a.yml", "b.yml"}, c.Compose.Files)
}

func TestLabelsOfThePredecessorAndOfAurora(t *testing.T) {
	c, err := Load(Input{Labels: map[string]string{
		"fileName":                                  "one.yml, two.yml",
		"config.launchtask.timeout":                 "500000",
		"config.cleanpod.timeout":                   "25",
		"config.launchtask.skippull":                "false",
		"config.launchtask.podmonitorinterval":      "10000",
		"config.version":                            "7",
		"config.pod.kind":                           "job",
		"org.apache.aurora.metadata.dce.log.level":  "debug",
		"org.apache.aurora.metadata.dce.log.format": "text",
		"dce.log.format":                            "json",
		"org.apache.aurora.tier":                    "preemptible",
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"one.yml", "two.yml"}, c.Compose.Files)
	require.Equal(t, 500*time.Second, c.Launch.Timeout)
	require.Equal(t, 25*time.Second, c.Stop.Grace)
	require.Equal(t, "always", c.Image.Pull)
	require.Equal(t, "job", c.Pod.Kind)
	require.Equal(t, "debug", c.Log.Level)
	require.Equal(t, "json", c.Log.Format)
	require.Equal(t, []string{"the label config.launchtask.podmonitorinterval has no effect any more"}, c.Notes())

	c, err = Load(Input{Labels: map[string]string{"fileName": "old.yml", "dce.compose.files": "new.yml", "config.launchtask.timeout": "90s", "config.launchtask.debug": "true"}})
	require.NoError(t, err)
	require.Equal(t, []string{"new.yml"}, c.Compose.Files)
	require.Equal(t, 90*time.Second, c.Launch.Timeout)
	require.Equal(t, "debug", c.Log.Level)
}

func TestEverythingWrongAtOnce(t *testing.T) {
	file := write(t, "dce.yaml", `pod:
  kind: jop
  shared: net
stop: 10s
network: {mode: "container:x"}
launch.timeout: 10
log: {level: [info, debug], format: }
image: {pull: {x: y}}
pod.share: [net, net]
nonsense: 1
ports: {allow_static: maybe}
ports.allow_static: true
engine.lost_timeout: -1s
pids.limit: lots
qos: garanteed
cpu: {cfs_quota: 0.5, cfs: true}
`)
	_, err := Load(Input{
		Files:   []string{file},
		Environ: []string{"DCE_LOG_LEVLE=info", "DCE_XYZ_UVW=1", "DCE_POD_KIND=a,b"},
		Labels:  map[string]string{"dce.pod.kid": "job", "dce.pod.share": "net,,ipc", "dce.pod.kind": "", "dce.stop.grace": "soon", "dce.pids.limit": "4194305", "dce.qos": ""},
	})
	var errs Errors
	require.ErrorAs(t, err, &errs)
	require.Equal(t, "REASON_TASK_INVALID", errs.Reason())
	f := filepath.Base(file)
	var got []string
	for _, e := range errs {
		got = append(got, strings.ReplaceAll(e.Error(), file, f))
	}
	require.Equal(t, []string{
		`dce.yaml:2: pod.kind: "jop" is not one of service, job: did you mean job?`,
		`dce.yaml:3: there is no setting pod.shared, did you mean pod.share?`,
		`dce.yaml:4: stop should hold keys (grace)`,
		`dce.yaml:5: network.mode: "container:x" is not one of pod, compose, host, none, nor a name that a Docker network can have`,
		`dce.yaml:6: launch.timeout: "10" has no unit: write 10s or 10mins`,
		`dce.yaml:7: log.level takes one value (error, warn, info, debug, trace), not a list`,
		`dce.yaml:7: log.format has no value: give it one (text, json) or leave the line out`,
		`dce.yaml:8: image.pull takes a value (missing, always, never), not keys`,
		`dce.yaml:9: pod.share: "net" is there twice`,
		"dce.yaml:10: there is no setting nonsense, the table in README.md lists them all",
		`dce.yaml:11: ports.allow_static: "maybe" is neither true nor false`,
		`dce.yaml:12: ports.allow_static is set a second time, after line 11`,
		`dce.yaml:13: engine.lost_timeout: "-1s" is negative`,
		`dce.yaml:14: pids.limit: "lots" is no whole number from 0 up`,
		`dce.yaml:15: qos: "garanteed" is not one of auto, guaranteed, burstable, best-effort: did you mean guaranteed?`,
		`dce.yaml:16: cpu.cfs_quota: "0.5" is neither true nor false`,
		`dce.yaml:16: there is no setting cpu.cfs, the table in README.md lists them all`,
		`DCE_LOG_LEVLE: there is no such setting, did you mean DCE_LOG_LEVEL?`,
		`DCE_POD_KIND: "a,b" is not one of service, job`,
		"DCE_XYZ_UVW: there is no such setting, the table in README.md lists them all",
		`label dce.pids.limit: 4194305 are more than Linux can have: write at most 4194304, or 0 for no limit`,
		`label dce.pod.kid: there is no such setting, did you mean dce.pod.kind?`,
		`label dce.pod.kind: "" is not one of service, job`,
		`label dce.pod.share: "" is not one of net, ipc, pid`,
		`label dce.qos: "" is not one of auto, guaranteed, burstable, best-effort`,
		`label dce.stop.grace: "soon" is no duration: write 10s, 1m30s, 10secs or 15mins`,
	}, got)
}

func TestFilesThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{
		"a: b: c":                      "is not valid YAML",
		"- a":                          "should hold keys with values",
		"just words":                   "should hold keys with values",
		"pod.kind: job\n---\nlog: x\n": "more than one YAML document",
		"? [a]\n: b\n":                 "a key should be a word",
		"compose.files: [{a: b}]":      "should be one word",
		"compose.files: [a, '']":       "an entry of the list is empty",
		strings.Repeat("#", maxFile+1): "larger than a megabyte",
		"x: &x\n  y: *x\n":             ":1: there is no setting x",
		"pod: &p\n  pod: *p\n":         "there is no setting pod.pod",
	} {
		_, err := Load(Input{Files: []string{write(t, "dce.yaml", content)}})
		require.ErrorContains(t, err, want, content)
		require.ErrorContains(t, err, "dce.yaml")
	}
	_, err := Load(Input{Files: []string{dir}})
	require.ErrorContains(t, err, dir+": it can't be read: is a directory")
	for v, fails := range map[string]string{"0": "", "15": "15 are fewer than the start of a container takes: write at least 16", "16": "", "-1": "no whole number", "1e3": "no whole number"} {
		_, err := Load(Input{Labels: map[string]string{"dce.pids.limit": v}})
		if fails == "" {
			require.NoError(t, err, v)
			continue
		}
		require.ErrorContains(t, err, "label dce.pids.limit: ", v)
		require.ErrorContains(t, err, fails, v)
	}
	for _, fine := range []string{"", "# nothing\n", "---\n", "null\n", "{}", "compose.files: []", "log: &l {level: &v debug}\npod: {kind: job}\n"} {
		_, err := Load(Input{Files: []string{write(t, "dce.yaml", fine)}})
		require.NoError(t, err, fine)
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "10s": 10 * time.Second, "1m30s": 90 * time.Second, "10secs": 10 * time.Second, "15mins": 15 * time.Minute,
		"1.5hrs": 90 * time.Minute, "2days": 48 * time.Hour, "1weeks": 168 * time.Hour, "250ms": 250 * time.Millisecond, "0secs": 0, "100ns": 100,
	} {
		d, err := ParseDuration(s)
		require.NoError(t, err, s)
		require.Equal(t, want, d, s)
	}
	for _, s := range []string{"", "s", "secs", "10", "1.5", "-1s", "-5secs", "1 secs", "1fortnights", "1e300weeks", "infsecs", "9999999weeks", "٣s"} {
		_, err := ParseDuration(s)
		require.Error(t, err, s)
	}
}

// What a value prints as is read back as the same value.
func TestValuesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := map[string]string{}
		for _, k := range keys {
			switch {
			case k.Type == Duration:
				labels[k.Label()] = time.Duration(rapid.Int64Range(0, 1<<60).Draw(t, k.Name)).String()
			case k.Type == Number:
				labels[k.Label()] = strconv.Itoa(rapid.IntRange(leastPids, mostPids).Draw(t, k.Name))
			case k.Type == Bool:
				labels[k.Label()] = rapid.SampledFrom([]string{"true", "false"}).Draw(t, k.Name)
			case len(k.Choices) > 0:
				labels[k.Label()] = rapid.SampledFrom(k.Choices).Draw(t, k.Name)
			default:
				labels[k.Label()] = rapid.StringMatching(`[a-zA-Z0-9][a-z.-]*`).Draw(t, k.Name)
			}
		}
		c, err := Load(Input{Labels: labels})
		require.NoError(t, err)
		environ := []string{}
		for _, k := range keys {
			environ = append(environ, k.Env()+"="+c.Value(k.Name))
			require.Equal(t, Source{LayerLabel, k.Label()}, c.Source(k.Name))
		}
		again, err := Load(Input{Environ: environ})
		require.NoError(t, err)
		for _, k := range keys {
			require.Equal(t, c.Value(k.Name), again.Value(k.Name))
		}
	})
}

func FuzzFile(f *testing.F) {
	f.Add("pod: {kind: job}\nlog.level: [a]\n")
	f.Add("a: &a [*a]\n")
	f.Add("compose: {files: [x, y]}")
	name := filepath.Join(f.TempDir(), "dce.yaml")
	f.Fuzz(func(t *testing.T, content string) {
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
		c, err := Load(Input{Files: []string{name}})
		if err != nil {
			require.ErrorContains(t, err, name)
			require.NotContains(t, err.Error(), "%!")
		}
		require.Contains(t, []string{"service", "job"}, c.Pod.Kind)
	})
}

func FuzzDuration(f *testing.F) {
	f.Add("10secs")
	f.Add("1e5hrs")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDuration(s); err == nil {
			require.GreaterOrEqual(t, d, time.Duration(0))
		}
	})
}
