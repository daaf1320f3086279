package compose

import (
	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/tree"

	"github.com/dce-go/dce/go/nearest"
)

// nearestKey returns the key of the compose format that was most likely meant by the last part of path, or "". It reads the
// schema, so it is for error paths only.
func nearestKey(path tree.Path) string {
	var keys []string
	for _, known := range schema.AttributePaths() {
		if len(known.Parts()) == len(path.Parts()) && known.Last() != tree.PathMatchAll && path.Parent().Matches(known.Parent()) {
			keys = append(keys, known.Last())
		}
	}
	return nearest.To(path.Last(), keys)
}
