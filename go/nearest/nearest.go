// Package nearest finds the name that was most likely meant by one that does not exist.
package nearest

import "strings"

// To returns the candidate that takes the fewest edits to become, or "" where none is near: a third of its letters may be wrong, and
// one always. Capitals do not count. The first of several equals wins.
func To(name string, candidates []string) string {
	best, fewest := "", 0
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d <= max(1, len(c)/3) && (best == "" || d < fewest) {
			best, fewest = c, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to make b out of a (optimal string
// alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before, last []int
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before, last, row = last, row, make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(y)]
}
