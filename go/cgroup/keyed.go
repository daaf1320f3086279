package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// NoLimit is the limit of a cgroup that has none.
const NoLimit uint64 = math.MaxUint64

// keyed parses a flat keyed file ("key value" a line): memory.stat, memory.events, memory.oom_control, cpu.stat. Lines of
// another shape, which future kernels may add, are left out where strict names none of them.
func keyed(file, text string, strict ...string) (map[string]uint64, error) {
	out := map[string]uint64{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.ParseUint(value, 10, 64)
		if !ok || err != nil {
			for _, s := range strict {
				if key == s {
					return nil, &ValueError{file, strings.TrimSpace(line), "a number after " + key}
				}
			}
			continue
		}
		out[key] = n
	}
	for _, s := range strict {
		if _, ok := out[s]; !ok {
			return nil, &ValueError{file, firstLine(text), "a line " + s}
		}
	}
	return out, nil
}

func readKeyed(dir *os.File, file string, strict ...string) (map[string]uint64, error) {
	text, err := readAt(dir, file)
	if err != nil {
		return nil, err
	}
	return keyed(filepath.Join(dir.Name(), file), text, strict...)
}

// readLimit reads one number, or a limit that is none: "max" on v2, "-1" or what a page counter can hold at most on v1.
func readLimit(dir *os.File, file string) (uint64, error) {
	text, err := readAt(dir, file)
	if err != nil {
		return 0, err
	}
	return parseLimit(filepath.Join(dir.Name(), file), text)
}

func parseLimit(file, text string) (uint64, error) {
	if text == "max" || text == "-1" {
		return NoLimit, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return 0, &ValueError{file, firstLine(text), "a number"}
	case n >= 1<<62: // mm/page_counter.c: PAGE_COUNTER_MAX is LONG_MAX in pages, rounded
		return NoLimit, nil
	}
	return n, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 80)]
}
