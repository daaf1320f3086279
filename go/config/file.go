package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFile bounds what is read: a configuration has a few lines.
const maxFile = 1 << 20

// file applies one YAML file. Keys may be nested (pod: {kind: job}) or dotted (pod.kind: job).
func (l *loader) file(name string) {
	s := Source{LayerFile, name}
	data, err := read(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.fail(s, "it can't be read: %v", err)
		}
		return
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return // empty
	case err != nil:
		l.fail(s, "it is not valid YAML: %s", strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
		return
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		l.fail(s, "it holds more than one YAML document: keep one")
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	w := walker{l: l, file: name, seen: map[string]int{}}
	if root := doc.Content[0]; root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	} else if root.Kind != yaml.MappingNode {
		l.fail(w.at(root), "it should hold keys with values (pod.kind: job)")
	} else {
		w.mapping(root, "")
	}
}

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, cause(err)
	case len(data) > maxFile:
		return nil, errors.New("it is larger than a megabyte")
	}
	return data, nil
}

// cause takes the path out of a system error: the sentence begins with it.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

type walker struct {
	l    *loader
	file string
	seen map[string]int // key to the line that sets it
}

func (w walker) at(n *yaml.Node) Source {
	return Source{LayerFile, fmt.Sprintf("%s:%d", w.file, n.Line)}
}

// mapping goes down while prefix is the beginning of some key: keys have few parts, so no chain of aliases is endless.
func (w walker) mapping(n *yaml.Node, prefix string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		path := prefix + name.Value
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		k, known := find(path)
		switch {
		case name.Kind != yaml.ScalarNode:
			w.l.fail(w.at(name), "a key should be a word")
		case known:
			if line, twice := w.seen[path]; twice {
				w.l.fail(w.at(name), "%s is set a second time, after line %d", path, line)
				continue
			}
			w.seen[path] = name.Line
			w.value(k, name, value)
		case value.Kind == yaml.MappingNode && isPrefix(path+"."):
			w.mapping(value, path+".")
		case isPrefix(path + "."):
			w.l.fail(w.at(name), "%s should hold keys (%s)", path, strings.Join(below(path+"."), ", "))
		default:
			w.l.fail(w.at(name), "there is no setting %s%s", path, suggest(path, func(k Key) string { return k.Name }))
		}
	}
}

func (w walker) value(k Key, name, value *yaml.Node) {
	s := w.at(name)
	var values []string
	switch value.Kind {
	case yaml.ScalarNode:
		if value.Tag == "!!null" {
			w.l.fail(s, "%s has no value: give it one (%s) or leave the line out", k.Name, k.kind())
			return
		}
		values = []string{value.Value}
	case yaml.SequenceNode:
		for _, entry := range value.Content {
			if entry.Kind == yaml.AliasNode {
				entry = entry.Alias
			}
			if entry.Kind != yaml.ScalarNode || strings.Contains(entry.Value, ",") {
				w.l.fail(w.at(entry), "an entry of %s should be one word", k.Name)
				return
			}
			values = append(values, entry.Value)
		}
		if k.Type != List {
			w.l.fail(s, "%s takes one value (%s), not a list", k.Name, k.kind())
			return
		}
		if len(values) == 0 {
			values = []string{""}
		}
	default:
		w.l.fail(s, "%s takes a value (%s), not keys", k.Name, k.kind())
		return
	}
	if err := k.parse(&w.l.config, values); err != nil {
		w.l.fail(s, "%s: %v", k.Name, err)
		return
	}
	w.l.config.sources[k.Name] = s
}

func isPrefix(p string) bool { return len(below(p)) > 0 }

// below lists what follows a prefix in the names of keys.
func below(p string) []string {
	var out []string
	for _, k := range keys {
		if rest, ok := strings.CutPrefix(k.Name, p); ok {
			out = append(out, rest)
		}
	}
	return out
}
