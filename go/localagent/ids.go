package localagent

import (
	"fmt"
	"strings"
	"unicode"
)

// checkID refuses ids that Mesos refuses, because they become directory names.
// Follows src/common/validation.cpp, validateID.
func checkID(what, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("the %s id is empty", what)
	case len(id) > 255:
		return fmt.Errorf("the %s id has %d bytes; at most 255 fit a directory name", what, len(id))
	case id == "." || id == "..":
		return fmt.Errorf("the %s id %q is not allowed, because it names a directory", what, id)
	case strings.ContainsAny(id, `/\`) || strings.ContainsFunc(id, unicode.IsControl):
		return fmt.Errorf("the %s id %q holds a slash, a backslash or a control character", what, id)
	}
	return nil
}
