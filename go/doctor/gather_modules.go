package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// The names of our modules: module-cpp/module.cpp.
const (
	hookName     = "org_apache_mesos_ComposePodCleanupHook"
	isolatorName = "org_apache_mesos_ComposePodIsolator"
	coreName     = "libdcecore.so"
	coreKey      = "core"
)

// manifestJSON is mesos.Modules (include/mesos/module/module.proto).
type manifestJSON struct {
	Libraries []struct {
		File    string `json:"file"`
		Name    string `json:"name"`
		Modules []struct {
			Name       string `json:"name"`
			Parameters []struct {
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"parameters"`
		} `json:"modules"`
	} `json:"libraries"`
}

func readModules(o Options) (Modules, error) {
	out := Modules{Cores: map[string]Seen[Library]{}, CLibrary: cLibrary(onPath("libc.so.6"))}
	files := o.Modules
	if o.ModulesDir != "" {
		entries, err := os.ReadDir(o.ModulesDir) // sorted, as Mesos loads them (src/module/manager.cpp, load)
		if err != nil {
			return out, err
		}
		for _, e := range entries {
			files = append(files, filepath.Join(o.ModulesDir, e.Name()))
		}
	}
	for _, file := range files {
		out.Manifests = append(out.Manifests, readManifest(file))
	}
	for _, e := range out.entries() {
		for _, m := range e.Modules {
			if core := m.core(e.Path); core != "" {
				value, err := ReadLibrary(core)
				out.Cores[core] = Seen[Library]{value, err}
			}
		}
	}
	return out, nil
}

// readManifest reads what a --modules names: a file, with or without file://, or the JSON itself.
func readManifest(given string) Manifest {
	m := Manifest{Source: strings.TrimPrefix(given, "file://")}
	text := []byte(given)
	if strings.HasPrefix(strings.TrimSpace(given), "{") {
		m.Source = "the JSON in the agent's --modules"
	} else if text, m.Err = readSome(m.Source); m.Err != nil {
		return m
	}
	var parsed manifestJSON
	if m.Err = decode(text, &parsed, false); m.Err != nil {
		return m
	}
	m.Strange = decode(text, new(manifestJSON), true) // Mesos passes over keys that it does not know
	for i, library := range parsed.Libraries {
		e := Entry{Path: library.File}
		if e.Path == "" && library.Name != "" {
			e.Path = "lib" + library.Name + ".so" // 3rdparty/stout: os::libraries::expandName
		}
		if e.Path == "" {
			m.Err = fmt.Errorf("its library %d has neither file nor name", i+1)
			return m
		}
		e.Path = onPath(e.Path)
		e.File.Value, e.File.Err = ReadLibrary(e.Path)
		for _, module := range library.Modules {
			one := Module{Name: module.Name}
			for _, p := range module.Parameters {
				one.Parameters = append(one.Parameters, Parameter{p.Key, p.Value})
			}
			e.Modules = append(e.Modules, one)
		}
		m.Libraries = append(m.Libraries, e)
	}
	return m
}

// maxManifest is more than any modules JSON has. A --modules_dir may hold anything.
const maxManifest = 1 << 20

func readSome(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err == nil && len(text) > maxManifest {
		err = fmt.Errorf("it has more than %d kB, so that it is no modules JSON", maxManifest>>10)
	}
	return text, err
}

// decode reads one JSON object, with nothing after it, as Mesos does (src/common/parse.hpp, 3rdparty/stout: JSON::parse).
func decode(text []byte, to any, strict bool) error {
	switch begin := bytes.TrimSpace(text); {
	case len(begin) == 0:
		return errors.New("it is empty")
	case begin[0] != '{':
		return fmt.Errorf("it is no JSON object, for it begins with %.10q", begin)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if strict {
		d.DisallowUnknownFields()
	}
	err := d.Decode(to)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		return errors.New("something follows the JSON object")
	}
	line := func(offset int64) int { return 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n")) }
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %w", line(syntax.Offset), err)
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: %s is of the type %s, and Mesos takes %s there", line(kind.Offset), strings.TrimPrefix(kind.Field, "."), kind.Value, jsonName(kind.Type))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it ends in the middle of the JSON object")
	}
	return err
}

// jsonName is what a type is called in JSON.
func jsonName(t reflect.Type) string {
	if known := map[reflect.Kind]string{reflect.Slice: "an array", reflect.Struct: "an object"}[t.Kind()]; known != "" {
		return known
	}
	return "a string"
}

// onPath finds a library without a folder where the dynamic linker does by default (ld.so(8)).
func onPath(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	dirs := []string{"/usr/local/lib", "/lib", "/usr/lib", "/lib64", "/usr/lib64"}
	more, _ := filepath.Glob("/usr/lib/*-linux-gnu") // the pattern is right
	for _, dir := range append(dirs, more...) {
		if file := filepath.Join(dir, name); isFile(file) {
			return file
		}
	}
	return name
}

// entries are all libraries of all manifests.
func (m Modules) entries() []Entry {
	var out []Entry
	for _, manifest := range m.Manifests {
		out = append(out, manifest.Libraries...)
	}
	return out
}

// ours says whether a module is one of dce's.
func (m Module) ours() bool { return m.Name == hookName || m.Name == isolatorName }

// core is the path of the core that one of our modules opens (module-cpp/session.cpp); "" for others' modules.
func (m Module) core(library string) string {
	if !m.ours() {
		return ""
	}
	for _, p := range m.Parameters {
		if p.Key == coreKey {
			return p.Value
		}
	}
	return filepath.Join(filepath.Dir(library), coreName)
}

// missing says that a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
