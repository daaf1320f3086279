// Package config decides what a pod is run with: defaults < file < environment < task labels. Every key stands once, in
// the table of keys.go, with type, default and meaning; the documentation is made from it. Load reports
// everything that is wrong at once, and knows for each value where it came from.
// It reads the files it is given and nothing else: environment and labels are handed in.
package config
