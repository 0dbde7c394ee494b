package budget

// dispersion says how many times the variance of the counts of blocks of about
// one size is that of independent events, at least 1: Pearson's statistic of the
// table of blocks by cells over its degrees of freedom (McCullagh and Nelder 1989,
// section 4.5). Each block is a list of counts in the same cells. It is 0 with
// fewer than three blocks with events, of which nothing can be learnt.
func dispersion(blocks [][]uint64) float64 {
	pooled, sizes, total := margins(blocks)
	filled, cells, statistic := 0, 0, 0.0
	for _, c := range pooled {
		if c > 0 {
			cells++
		}
	}
	for i, b := range blocks {
		if sizes[i] == 0 {
			continue
		}
		filled++
		for j, x := range b {
			if pooled[j] > 0 {
				expected := sizes[i] * pooled[j] / total
				statistic += (float64(x) - expected) * (float64(x) - expected) / expected
			}
		}
	}
	if filled < 3 {
		return 0
	}
	if cells < 2 {
		return 1
	}
	return max(1, statistic/float64((filled-1)*(cells-1)))
}

// margins returns the totals of a table of blocks by cells.
func margins(blocks [][]uint64) (pooled, sizes []float64, total float64) {
	pooled, sizes = make([]float64, len(blocks[0])), make([]float64, len(blocks))
	for i, b := range blocks {
		for j, x := range b {
			pooled[j] += float64(x)
			sizes[i] += float64(x)
			total += float64(x)
		}
	}
	return pooled, sizes, total
}
