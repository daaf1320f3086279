package config

import (
	"fmt"
	"strings"
)

// Table is the table of keys in Markdown, for the README.
func Table() string {
	var b strings.Builder
	b.WriteString("| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n")
	for _, k := range keys {
		def := "–"
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, k.kind(), def, k.Doc)
	}
	return b.String()
}
