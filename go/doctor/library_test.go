package doctor

import (
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/fakehost"
)

// compile builds C, as a shared library unless args say otherwise.
func compile(t *testing.T, name, source string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, name)
	if len(args) == 0 {
		args = []string{"-shared", "-fPIC"}
	}
	text, err := exec.Command("gcc", append(args, "-o", out, fakehost.Put(t, dir, "x.c", source))...).CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

const coreSource = "int dce_core_abi_version, dce_core_open, dce_core_submit, dce_core_close, dce_core_free; const unsigned dce_core_abi = "

func TestReadLibrary(t *testing.T) {
	so := compile(t, "libdcecore.so", coreSource+"7;")
	l, err := ReadLibrary(so)
	require.NoError(t, err)
	require.Equal(t, OK, Facts{}.loadable(so, Seen[Library]{Value: l}).Level)
	require.EqualValues(t, 7, *l.Version)
	require.Nil(t, l.Go)
	for _, f := range coreFunctions {
		require.True(t, l.Symbols[f], f)
	}
	require.False(t, l.Symbols["__cxa_finalize"], "what it needs it does not have")

	l, err = ReadLibrary(compile(t, "libmesos_dce.so", `const unsigned dce_module_abi = 3; const char dce_module_mesos[] = "1.11.0"; int `+hookName+";"))
	require.NoError(t, err)
	require.EqualValues(t, 3, *l.Version)
	require.Equal(t, "1.11.0", l.Mesos)

	whole, err := os.ReadFile(so)
	require.NoError(t, err)
	for _, size := range []int{0, 1, 4, 40, 63, 64, 100, 1000, len(whole) / 2} {
		l, err := ReadLibrary(fakehost.Put(t, t.TempDir(), "cut.so", string(whole[:size])))
		require.NoError(t, err, size)
		require.NotEmpty(t, l.Flaw, "%d bytes of %d", size, len(whole))
	}
	whole[18] = byte(elf.EM_ARM) // e_machine
	other := fakehost.Put(t, t.TempDir(), "arm.so", string(whole))
	l, err = ReadLibrary(other)
	require.NoError(t, err)
	require.Contains(t, Facts{}.loadable(other, Seen[Library]{Value: l}).Saw, "another machine (EM_ARM")

	l, err = ReadLibrary(t.TempDir())
	require.NoError(t, err)
	require.Equal(t, "it is no file", l.Flaw)
	_, err = ReadLibrary("/nowhere.so")
	require.ErrorIs(t, err, fs.ErrNotExist)
	l, err = ReadLibrary(fakehost.Put(t, t.TempDir(), "text.so", strings.Repeat("text", 100)))
	require.NoError(t, err)
	require.Contains(t, l.Flaw, "no shared library")
	self, err := os.Executable()
	require.NoError(t, err)
	l, err = ReadLibrary(self)
	require.NoError(t, err)
	require.NotNil(t, l.Go)
}

func TestCLibrary(t *testing.T) {
	so := compile(t, "libx.so", "#include <stdio.h>\nvoid f(void) { puts(\"\"); }")
	l, err := ReadLibrary(so)
	require.NoError(t, err)
	require.Regexp(t, `^2\.\d+`, l.Needs)
	m, err := readModules(Options{})
	require.NoError(t, err)
	require.Regexp(t, `^2\.\d+`, m.CLibrary)
	require.Equal(t, OK, Facts{Modules: Seen[Modules]{Value: m}}.loadable(so, Seen[Library]{Value: l}).Level)
	require.Empty(t, cLibrary(so))
	require.Empty(t, cLibrary("/nowhere"))
	require.Equal(t, "2.34", newer("2.4", "GLIBC_2.34"))
	require.Equal(t, "2.34", newer("2.34", "GLIBC_2.4"))
	require.Equal(t, "2.34", newer("2.34", "GLIBC_PRIVATE"))
}

func FuzzReadLibrary(f *testing.F) {
	self, err := os.Executable()
	require.NoError(f, err)
	file, err := os.Open(self)
	require.NoError(f, err)
	head := make([]byte, 4096)
	_, err = io.ReadFull(file, head)
	require.NoError(f, err)
	f.Add(head)
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, content []byte) {
		l, err := ReadLibrary(fakehost.Put(t, t.TempDir(), "x.so", string(content)))
		if err == nil && l.Flaw == "" {
			_ = Facts{}.loadable("x.so", Seen[Library]{Value: l})
		}
	})
}

func TestReadProgram(t *testing.T) {
	p, err := readProgram(compile(t, "x", "int main(void) { return 0; }", "-O0"))
	require.NoError(t, err)
	require.False(t, p.Static)
	p, err = readProgram(compile(t, "x", "void _start(void) { for (;;) ; }", "-nostdlib", "-static"))
	require.NoError(t, err)
	require.True(t, p.Static)
	require.Equal(t, machine(), p.Machine)
	require.EqualValues(t, 0o755, p.Mode)
	_, err = readProgram(fakehost.Put(t, t.TempDir(), "x", "#!/bin/sh\n"))
	require.ErrorContains(t, err, "is no program")
	for _, none := range []string{"", "/nowhere"} {
		_, err = readProgram(none)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}

func TestManifests(t *testing.T) {
	so := compile(t, "libx.so", "int a_module;")
	good := fmt.Sprintf(`{"libraries": [{"file": %q, "modules": [{"name": "a_module", "parameters": [{"key": "k", "value": "v"}]}]}]}`, so)
	file := fakehost.Put(t, t.TempDir(), "m.json", good)
	for _, given := range []string{file, "file://" + file, good} {
		m := readManifest(given)
		require.NoError(t, m.Err)
		require.Len(t, m.Libraries, 1)
		require.Equal(t, so, m.Libraries[0].Path)
		require.NoError(t, m.Libraries[0].File.Err)
		require.True(t, m.Libraries[0].File.Value.Symbols["a_module"])
		require.Equal(t, []Module{{"a_module", []Parameter{{"k", "v"}}}}, m.Libraries[0].Modules)
	}
	for text, says := range map[string]string{
		"":                                 "it is empty",
		"\n":                               "it is empty",
		"null":                             `no JSON object, for it begins with "null"`,
		"[]":                               `no JSON object, for it begins with "[]"`,
		"\xef\xbb\xbf{}":                   "no JSON object",
		"{\n":                              "ends in the middle",
		`{"libraries": []} }`:              "something follows",
		`{"libraries": 3}`:                 "libraries is of the type number, and Mesos takes an array there",
		`{"libraries": [[]]}`:              "libraries is of the type array, and Mesos takes an object there",
		"{\n \"libraries\": [\n ,]}":       "line 3",
		`{"libraries": [{"modules": []}]}`: "library 1 has neither file nor name",
		`{"libraries": []} {}`:             "something follows",
		`{"libraries": [{"file": 3}]}`:     "line 1: libraries.file is of the type number, and Mesos takes a string there",
		`{"libraries": [{"file": "/x", "modules": [{"name": "n",` + "\n" + `"parameters": [{"key": "k", "value": true}]}]}]}`: "line 2: libraries.modules.parameters.value is of the type bool",
		strings.Repeat(" ", maxManifest+1): "more than 1024 kB",
	} {
		require.ErrorContains(t, readManifest(fakehost.Put(t, t.TempDir(), "m.json", text)).Err, says, "%s", text)
	}
	m := readManifest(`{"library": []}`)
	require.NoError(t, m.Err)
	require.ErrorContains(t, m.Strange, `unknown field "library"`)
	require.ErrorIs(t, readManifest("/nowhere.json").Err, fs.ErrNotExist)
	m = readManifest(`{"libraries": [{"name": "c_of_nobody"}]}`)
	require.NoError(t, m.Err)
	require.Equal(t, "libc_of_nobody.so", m.Libraries[0].Path)
}

func TestModulesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	so := compile(t, "libmesos_dce.so", "int "+hookName+", "+isolatorName+";")
	core := compile(t, coreName, coreSource+"1;")
	fakehost.Put(t, dir, "b.json", fmt.Sprintf(`{"libraries": [{"file": %q, "modules": [{"name": %q}, {"name": %q, "parameters": [{"key": "core", "value": %q}]}]}]}`,
		so, hookName, isolatorName, core))
	fakehost.Put(t, dir, "a.json~", "no JSON")
	m, err := readModules(Options{ModulesDir: dir})
	require.NoError(t, err)
	require.Len(t, m.Manifests, 2, "Mesos reads every file")
	require.Error(t, m.Manifests[0].Err)
	require.ElementsMatch(t, []string{core, filepath.Join(filepath.Dir(so), coreName)}, slices.Collect(maps.Keys(m.Cores)))
	require.EqualValues(t, 1, *m.Cores[core].Value.Version)
	require.ErrorIs(t, m.Cores[filepath.Join(filepath.Dir(so), coreName)].Err, fs.ErrNotExist)
	_, err = readModules(Options{ModulesDir: filepath.Join(dir, "none")})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// What this package knows of the module and the core is what their sources say.
func TestNamesAreThoseOfTheSources(t *testing.T) {
	header, err := os.ReadFile("../../cgo-bridge/dcecore.h")
	require.NoError(t, err)
	require.Contains(t, string(header), "extern const uint32_t "+coreVersion+";")
	for _, f := range coreFunctions {
		require.Contains(t, string(header), " "+f+"(")
	}
	module, err := os.ReadFile("../../module-cpp/module.cpp")
	require.NoError(t, err)
	for _, name := range []string{" " + hookName + "(", " " + isolatorName + "(", " " + moduleVersion + " = DCE_CORE_ABI_VERSION;", " " + moduleMesos + "[] = MESOS_VERSION;"} {
		require.Contains(t, string(module), name)
	}
}
