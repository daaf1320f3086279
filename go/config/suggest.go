package config

import (
	"fmt"

	"github.com/dce-go/dce/go/nearest"
)

// suggest ends a sentence about an unknown name with the nearest known one.
func suggest(name string, form func(Key) string) string {
	known := make([]string, len(keys))
	for i, k := range keys {
		known[i] = form(k)
	}
	if near := nearest.To(name, known); near != "" {
		return fmt.Sprintf(", did you mean %s?", near)
	}
	return ", the table in README.md lists them all"
}
