package dialect

import (
	"math"
	"math/bits"
	"slices"
	"sort"
)

// The peers stand on NumPy, and some of their digits on its details: edges by
// linspace, bins closed on the right end only, a sort that is not stable, one
// seeded generator. Products are converted before they are added, so that no
// processor fuses them into another rounding.

// linspace returns bins+1 edges from low to high, the last exactly high.
func linspace(low, high float64, bins int) []float64 {
	edges := make([]float64, bins+1)
	step := (high - low) / float64(bins)
	for i := range edges {
		edges[i] = float64(float64(i)*step) + low
	}
	edges[bins] = high
	return edges
}

// histogram counts the values in each bin: closed on the left and open on the
// right, the last closed on both sides. Values beyond the edges count nowhere.
func histogram(values, edges []float64) []float64 {
	counts := make([]float64, len(edges)-1)
	last := len(counts) - 1
	for _, v := range values {
		i := sort.Search(len(edges), func(i int) bool { return edges[i] > v }) - 1
		if i > last && v == edges[last+1] {
			i = last
		}
		if i >= 0 && i <= last {
			counts[i]++
		}
	}
	return counts
}

// equalEdges cuts the range of the values into bins of about the given width. A
// range of no length is widened by a half on both sides, and a width that is
// not positive means one bin.
func equalEdges(values []float64, width float64) []float64 {
	low, high := slices.Min(values), slices.Max(values)
	bins := 1
	if width > 0 {
		bins = int(math.Ceil((high - low) / width))
	}
	if low == high {
		low, high = low-0.5, high+0.5
	}
	return linspace(low, high, max(bins, 1))
}

// doane returns the edges of numpy.histogram_bin_edges(values, "doane").
func doane(values []float64) []float64 {
	n := float64(len(values))
	mean, sigma := meanStd(values)
	if n <= 2 || sigma == 0 {
		return equalEdges(values, 0)
	}
	skew := 0.0
	for _, v := range values {
		skew += math.Pow((v-mean)/sigma, 3)
	}
	skew /= n
	spread := math.Sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))
	ptp := slices.Max(values) - slices.Min(values)
	return equalEdges(values, ptp/(1+math.Log2(n)+math.Log2(1+math.Abs(skew)/spread)))
}

// sturges returns the edges of numpy.histogram_bin_edges(values, "sturges") for
// floating-point values.
func sturges(values []float64) []float64 {
	ptp := slices.Max(values) - slices.Min(values)
	return equalEdges(values, ptp/(math.Log2(float64(len(values)))+1))
}

// meanStd returns the mean and the standard deviation with denominator n.
func meanStd(values []float64) (mean, std float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v
	}
	mean /= n
	for _, v := range values {
		std += float64((v - mean) * (v - mean))
	}
	return mean, math.Sqrt(std / n)
}

// smallSort is the largest length that NumPy sorts by insertion.
const smallSort = 16 // a span of 15 between first and last

// argsort returns the order numpy.argsort gives on a processor without vector
// sorting. It is not stable, and NannyML's sampling error of the ROC AUC
// depends on where it leaves ties: .001811 here, .001814 with AVX-512, .001812
// if it were stable, on the same rows.
func argsort(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	if len(order) > 0 {
		quicksort(values, order, 2*(bits.Len(uint(len(order)))-1))
	}
	return order
}

// quicksort is NumPy's median-of-three quicksort by index. Beyond the depth
// limit NumPy goes on with a heap sort and we with a stable sort: only values
// arranged against the algorithm get there.
func quicksort(v []float64, order []int, depth int) {
	for len(order) > smallSort {
		if depth < 0 {
			slices.SortStableFunc(order, func(a, b int) int { return cmpFloat(v[a], v[b]) })
			return
		}
		depth--
		at := partition(v, order)
		quicksort(v, order[at+1:], depth)
		order = order[:at]
	}
	for i := 1; i < len(order); i++ {
		moved := order[i]
		j := i
		for ; j > 0 && v[moved] < v[order[j-1]]; j-- {
			order[j] = order[j-1]
		}
		order[j] = moved
	}
}

// partition puts the median of three in its place, smaller values before it and
// larger ones behind, and returns the place.
func partition(v []float64, order []int) int {
	right := len(order) - 1
	mid := right >> 1
	swapIfLess := func(a, b int) {
		if v[order[a]] < v[order[b]] {
			order[a], order[b] = order[b], order[a]
		}
	}
	swapIfLess(mid, 0)
	swapIfLess(right, mid)
	swapIfLess(mid, 0)
	pivot := v[order[mid]]
	i, j := 0, right-1
	order[mid], order[j] = order[j], order[mid]
	for {
		for i++; v[order[i]] < pivot; i++ {
		}
		for j--; pivot < v[order[j]]; j-- {
		}
		if i >= j {
			break
		}
		order[i], order[j] = order[j], order[i]
	}
	order[i], order[right-1] = order[right-1], order[i]
	return i
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// mersenneWords is the length of the generator's state.
const mersenneWords = 624

// mersenne is the MT19937 generator behind numpy.random.RandomState.
type mersenne struct {
	state [mersenneWords]uint32
	next  int
}

func newMersenne(seed uint32) *mersenne {
	m := &mersenne{next: mersenneWords}
	for i := range m.state {
		m.state[i] = seed
		seed = 1812433253*(seed^seed>>30) + uint32(i) + 1
	}
	return m
}

func (m *mersenne) uint32() uint32 {
	if m.next == mersenneWords {
		for i := range m.state {
			y := m.state[i]&0x80000000 | m.state[(i+1)%mersenneWords]&0x7fffffff
			m.state[i] = m.state[(i+397)%mersenneWords] ^ y>>1 ^ (y&1)*0x9908b0df
		}
		m.next = 0
	}
	y := m.state[m.next]
	m.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// permute shuffles as RandomState.shuffle does: from the end, each index drawn
// under a mask and drawn again while it is too large.
func (m *mersenne) permute(x []int) {
	for i := len(x) - 1; i > 0; i-- {
		mask := uint32(1)<<bits.Len(uint(i)) - 1
		j := m.uint32() & mask
		for j > uint32(i) {
			j = m.uint32() & mask
		}
		x[i], x[j] = x[j], x[i]
	}
}
