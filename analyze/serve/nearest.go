package serve

// Nearest is the known name that is fewest changed letters away, and empty where
// that is more than a third of the name.
func Nearest(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if d := changes(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// changes counts the letters that are put in, left out, replaced, or swapped with
// their neighbour: the distance of Damerau and Levenshtein, no letter changed twice
// (optimal string alignment).
func changes(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			replaced := last[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
