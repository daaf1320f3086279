package images

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// entry is one file of an image's root file system. Source is the file on this machine whose content it gets, Sum
// the checksum of that content.
type entry struct {
	Path   string // without a leading slash; a folder ends with one
	Mode   int64
	Owner  int // user and group id
	Link   string
	Text   string
	Source string `json:"-"`
	Sum    string
}

// tree is a root file system. Parents come before what is in them.
type tree []entry

func dir(path string, mode int64, owner int) entry {
	return entry{Path: path + "/", Mode: mode, Owner: owner}
}

func text(path, content string) entry { return entry{Path: path, Mode: 0o644, Text: content} }

func link(path, target string) entry { return entry{Path: path, Mode: 0o777, Link: target} }

// program is an executable from this machine.
func program(path, source string) (entry, error) {
	f, err := os.Open(source)
	if err != nil {
		return entry{}, err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return entry{}, err
	}
	return entry{Path: path, Mode: 0o755, Source: source, Sum: hex.EncodeToString(sum.Sum(nil))}, nil
}

// base is what every image has: a place for temporary files, and users.
func base() tree {
	return tree{
		dir("tmp", 0o1777, 0),
		dir("etc", 0o755, 0),
		text("etc/passwd", "root:x:0:0:root:/:/bin/sh\nredis:x:999:999::/data:/\nnobody:x:65534:65534::/:/\n"),
		text("etc/group", "root:x:0:\nredis:x:999:\nnogroup:x:65534:\n"),
	}
}

// write writes the tree as a tarball.
func (t tree) write(to io.Writer) error {
	w := tar.NewWriter(to)
	for _, e := range t {
		if err := e.write(w); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	return w.Close()
}

func (e entry) write(w *tar.Writer) error {
	header := &tar.Header{Name: e.Path, Mode: e.Mode, Uid: e.Owner, Gid: e.Owner, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	var content []byte
	switch {
	case e.Path[len(e.Path)-1] == '/':
		header.Typeflag = tar.TypeDir
	case e.Link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.Link
	case e.Source != "":
		return e.copyTo(w, header)
	default:
		content = []byte(e.Text)
	}
	header.Size = int64(len(content))
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

func (e entry) copyTo(w *tar.Writer, header *tar.Header) error {
	f, err := os.Open(e.Source)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// withParents puts the folders of every path before it.
func (t tree) withParents() tree {
	var out tree
	has := map[string]bool{}
	for _, e := range t {
		has[e.Path] = true
	}
	for _, e := range t {
		var parents tree
		for parent := filepath.Dir(filepath.Clean(e.Path)); parent != "."; parent = filepath.Dir(parent) {
			if !has[parent+"/"] {
				has[parent+"/"] = true
				parents = append(parents, dir(parent, 0o755, 0))
			}
		}
		slices.Reverse(parents)
		out = append(append(out, parents...), e)
	}
	return out
}
