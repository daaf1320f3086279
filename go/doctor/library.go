package doctor

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/docker/docker/api/types/versions"
)

// The data symbols that say what a library was compiled for: cgo-bridge/dcecore.h and module-cpp/module.cpp.
const (
	coreVersion   = "dce_core_abi"
	moduleVersion = "dce_module_abi"
	moduleMesos   = "dce_module_mesos"
)

// ReadLibrary reads a shared library without loading it: nothing of it runs.
func ReadLibrary(path string) (Library, error) {
	l := Library{Path: path, Symbols: map[string]bool{}}
	file, err := os.Open(path)
	if err != nil {
		return l, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return l, err
	}
	if !info.Mode().IsRegular() {
		l.Flaw = "it is no file"
		return l, nil
	}
	f, err := elf.NewFile(file)
	var format *elf.FormatError
	if errors.As(err, &format) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		l.Flaw = "it is no shared library, or truncated"
		return l, nil
	}
	if err != nil {
		return l, err
	}
	l.Machine, l.Class, l.Shared = f.Machine, f.Class, f.Type == elf.ET_DYN
	for _, p := range f.Progs {
		if size := uint64(info.Size()); p.Filesz > size || p.Off > size-p.Filesz {
			l.Flaw = fmt.Sprintf("it is truncated: it has %d bytes, and a segment of %d at %d", size, p.Filesz, p.Off)
			return l, nil
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		l.Flaw = fmt.Sprintf("its symbols can't be read (%v)", err)
		return l, nil
	}
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF {
			continue
		}
		l.Symbols[s.Name] = true
		switch s.Name {
		case coreVersion, moduleVersion:
			if data := content(f, s, 4); len(data) == 4 {
				v := f.ByteOrder.Uint32(data)
				l.Version = &v
			}
		case moduleMesos:
			l.Mesos, _, _ = strings.Cut(string(content(f, s, min(s.Size, 64))), "\x00")
		}
	}
	needs, _ := f.DynamicVersionNeeds() // an error where it needs none
	for _, library := range needs {
		for _, v := range library.Needs {
			l.Needs = newer(l.Needs, v.Dep)
		}
	}
	l.Go = goProgram(path)
	return l, nil
}

// glibc is the prefix of the versions of symbols of the GNU C library.
const glibc = "GLIBC_"

// newer is the newer of a version and the one that a name of glibc's gives, if it does.
func newer(than, name string) string {
	v, ok := strings.CutPrefix(name, glibc)
	if ok && v != "" && strings.Trim(v, "0123456789.") == "" && (than == "" || versions.LessThan(than, v)) {
		return v
	}
	return than
}

// cLibrary is the newest version of glibc's symbols that a C library has, "" for one that has none, and for none.
func cLibrary(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	defined, err := f.DynamicVersions()
	if err != nil {
		return ""
	}
	newest := ""
	for _, v := range defined {
		newest = newer(newest, v.Name)
	}
	return newest
}

// content is the data of a symbol, nil where the file does not hold it.
func content(f *elf.File, s elf.Symbol, size uint64) []byte {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && s.Value >= p.Vaddr && s.Value+size <= p.Vaddr+p.Filesz {
			data := make([]byte, size)
			if _, err := p.ReadAt(data, int64(s.Value-p.Vaddr)); err == nil {
				return data
			}
		}
	}
	return nil
}

// goProgram is what Go wrote into a file that it built; nil where it did not.
func goProgram(path string) *GoProgram {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil
	}
	return &GoProgram{Path: path, Version: info.GoVersion, Main: info.Path}
}
