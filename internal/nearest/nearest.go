// Package nearest finds the word that a mistyped one was meant to be.
package nearest

import "strings"

// Of is the one of words that s was most likely meant to be: one slip of the
// finger away, or two when s is longer than four bytes; "" if none is. Case
// does not count. Where two are as near, it is the later one.
func Of(s string, words []string) string {
	best, limit := "", 1
	if len(s) > 4 {
		limit = 2
	}
	for _, w := range words {
		if d := slips(strings.ToLower(s), strings.ToLower(w)); d <= limit {
			best, limit = w, d
		}
	}
	return best
}

// slips counts the bytes to insert, delete, change or exchange with their
// neighbour in order to make a into b: the optimal string alignment distance.
func slips(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
