package compose

import (
	"strings"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/tree"
)

// nearest returns the key of the compose format that was most likely meant by the last part of path, or "". It reads the
// schema, so it is for error paths only.
func nearest(path tree.Path) string {
	best, distance := "", 3
	for _, known := range schema.AttributePaths() {
		if len(known.Parts()) != len(path.Parts()) || known.Last() == tree.PathMatchAll || !path.Parent().Matches(known.Parent()) {
			continue
		}
		if d := editDistance(path.Last(), known.Last()); d < distance {
			best, distance = known.Last(), d
		}
	}
	return best
}

// editDistance is Levenshtein's: how many letters to insert, remove or replace.
func editDistance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
