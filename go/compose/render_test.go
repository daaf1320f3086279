package compose

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

var identity = labels.Identity{
	Scope: "/var/lib/mesos", Agent: "agent-1", Framework: "framework-1", Executor: "executor-1",
	Container: "container-1", Task: "shop",
}

// target is a pod that was offered nothing, may publish what it likes, and has neither sandbox nor environment.
func target(change ...func(*Target)) Target {
	t := Target{
		Identity: identity, Version: "1.0", CgroupParent: "/mesos/container-1", PauseImage: "dce/pause:1",
		AllowStaticPorts: true,
	}
	for _, c := range change {
		c(&t)
	}
	return t
}

func render(t *testing.T, spec engine.PodSpec, dir string) []string {
	t.Helper()
	r := renderer{replace: strings.NewReplacer(spec.ID, "POD", dir, "SANDBOX")}
	for _, volume := range spec.Volumes {
		r.value("volume "+volume.Options.Name, reflect.ValueOf(volume), false)
	}
	for _, network := range spec.Networks {
		r.value("network "+network.Name, reflect.ValueOf(network), false)
	}
	if spec.Infra != nil {
		r.value("infra", reflect.ValueOf(*spec.Infra), false)
	}
	for _, service := range spec.Services {
		name := service.Service
		if n := service.Config.Labels[labels.ComposeNumber]; n != "1" {
			name += "#" + n
		}
		r.value(name, reflect.ValueOf(service), false)
	}
	return r.lines
}

// renderer writes a value as one line a leaf, "web.Host.NetworkMode: host". Zero values are left out, but for those that
// a pointer points to and for lists that are empty and not nil.
type renderer struct {
	lines   []string
	replace *strings.Replacer
}

func (r *renderer) value(path string, v reflect.Value, pointed bool) {
	if v.Type() == reflect.TypeFor[time.Duration]() && !v.IsZero() {
		r.line(path, fmt.Sprint(v.Interface()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			r.value(path, v.Elem(), true)
		}
	case reflect.Struct:
		before := len(r.lines)
		for i := range v.NumField() {
			name := path + "." + v.Type().Field(i).Name
			if v.Type().Field(i).Anonymous {
				name = path
			}
			r.value(name, v.Field(i), false)
		}
		if pointed && len(r.lines) == before {
			r.line(path, "{}")
		}
	case reflect.Map:
		r.entries(path, v)
	case reflect.Slice:
		r.list(path, v)
	default:
		if !v.IsZero() || pointed {
			r.line(path, fmt.Sprint(v.Interface()))
		}
	}
}

func (r *renderer) entries(path string, v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	ours := identity.Labels("1.0")
	for _, key := range keys {
		value := v.MapIndex(key)
		if strings.HasSuffix(path, "Labels") && value.String() == ours[key.String()] {
			continue // on everything, see TestLabels
		}
		entry := path + "[" + key.String() + "]"
		if value.IsZero() {
			r.line(entry, strconv.Quote(""))
			continue
		}
		r.value(entry, value, true)
	}
}

func (r *renderer) list(path string, v reflect.Value) {
	switch {
	case v.IsNil():
	case v.Type().Elem().Kind() == reflect.Uint8:
		r.line(path, strconv.Quote(string(v.Bytes())))
	case v.Len() == 0 || v.Type().Elem().Kind() == reflect.String || v.Type().Elem().Kind() == reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, fmt.Sprint(v.Index(i).Interface()))
		}
		r.line(path, "["+strings.Join(items, ", ")+"]")
	default:
		for i := range v.Len() {
			r.value(fmt.Sprintf("%s[%d]", path, i), v.Index(i), true)
		}
	}
}

func (r *renderer) line(path, value string) {
	r.lines = append(r.lines, r.replace.Replace(path+": "+value))
}

// write makes a sandbox of files; the compose file is "compose.yaml" where only its text is given.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		put(t, dir, name, text)
	}
	return dir
}

func load(t *testing.T, text string) (*Project, error) {
	t.Helper()
	return Load(t.Context(), Source{Dir: write(t, map[string]string{"compose.yaml": text}), Name: identity.PodID()})
}

// short replaces the pod's id as the rendered lines do.
func (b built) short(s string) string { return strings.ReplaceAll(s, b.spec.ID, "POD") }

// built is what Build made of one compose file.
type built struct {
	spec     engine.PodSpec
	lines    []string
	ports    []PublishedPort
	warnings []string
}

func build(t *testing.T, text string, target Target) built {
	t.Helper()
	b, err := tryBuild(t, map[string]string{"compose.yaml": text}, Source{}, target)
	require.NoError(t, err)
	return b
}

func tryBuild(t *testing.T, files map[string]string, src Source, target Target) (built, error) {
	t.Helper()
	src.Dir = write(t, files)
	spec, ports, warnings, err := Build(t.Context(), src, target)
	if err != nil {
		return built{}, err
	}
	return built{spec, render(t, spec, src.Dir), ports, warnings}, nil
}

// has requires lines of the rendered pod; one that starts with "!" must not be there, and one that ends with ":" stands
// for any value.
func (b built) has(t *testing.T, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		line, none := strings.CutPrefix(want, "!")
		found := slices.ContainsFunc(b.lines, func(l string) bool {
			return l == line || strings.HasSuffix(line, ":") && strings.HasPrefix(l, line)
		})
		require.Equal(t, !none, found, "%s\n\nin\n%s", want, strings.Join(b.lines, "\n"))
	}
}
