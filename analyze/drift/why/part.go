package why

import (
	"cmp"
	"slices"
)

// By names what a window is divided by.
type By string

// The divisions that every window has; segments are ByHour-like divisions of
// their own, one a key: BySegment.
const (
	ByDeploy By = "deploy_hash"
	ByHour   By = "hour"
)

// BySegment is the division by the values of one segment key.
func BySegment(key string) By { return By("segment " + key) }

// Rest names what no other part holds: requests without the segment's key.
const Rest = "(none)"

// Part is what one part of a window carries of a distance.
type Part struct {
	// Name is the deploy, the segment's value or the start of the hour (RFC 3339).
	// It may come from the producer: quote it.
	Name string `json:"name"`
	// Share is its portion of the distance. All of a division add up to 1; one
	// that moved against the rest is negative.
	Share float64 `json:"share"`
	// Mix is how much of Share is there because the part has more or fewer of the
	// requests than in the reference; the rest moved within it. 0 where the
	// reference is not divided.
	Mix float64 `json:"mix"`
	// Traffic is its portion of the window's requests, TrafficBefore of the
	// reference's, 0 where that is not divided.
	Traffic       float64 `json:"traffic"`
	TrafficBefore float64 `json:"traffic_before"`
	// Moved is the portion of its own requests that hold the values of the
	// series' greatest move; 0 in a report's division, which has no one move.
	Moved float64 `json:"moved"`
}

// Division is a window taken apart one way, the greatest share first; hours
// stand in their order.
type Division struct {
	By    By     `json:"by"`
	Parts []Part `json:"parts"`
}

// group is a part of the window as counts in the cells of the comparison.
type group struct {
	name               string
	reference, current []uint64
}

// divide gives every group its part in the distance between the sums of the
// groups, which c was made of. top are the cells of the greatest move.
func (c change) divide(groups []group, top []int) []Part {
	var n, m float64
	for _, g := range groups {
		n += total(g.reference)
		m += total(g.current)
	}
	value := c.value()
	parts := make([]Part, 0, len(groups))
	for _, g := range groups {
		part := Part{Name: g.name, Traffic: total(g.current) / m}
		if n > 0 {
			part.TrafficBefore = total(g.reference) / n
		}
		if own := total(g.current); own > 0 {
			for _, i := range top {
				part.Moved += float64(g.current[i]) / own
			}
		}
		within, mix := c.carried(g, part.TrafficBefore, part.Traffic, n > 0)
		if value > 0 {
			part.Share, part.Mix = (within+mix)/value, mix/value
		}
		parts = append(parts, part)
	}
	return parts
}

// carried returns what a group with the portions v and w of the requests adds to
// the distance, by moving and by having another portion. Summed over the groups
// of a window the changes of each cell are q - p exactly. divided says that the
// reference has groups too: one that is new there is all mix.
func (c change) carried(g group, v, w float64, divided bool) (within, mix float64) {
	for i := range c.p {
		// Shares of the whole, so that they add up to p and q. A filled cell is
		// filled by every group for its portion.
		b, a := 0.0, (float64(g.current[i])+c.fillQ[i]*w)/c.m
		if v > 0 {
			b = (float64(g.reference[i]) + c.fillP[i]*v) / c.n
		}
		switch {
		case !divided:
			within += c.slope[i] * (a - w*c.p[i])
		case v == 0 || w == 0:
			mix += c.slope[i] * (a - w*c.p[i] + v*c.p[i] - b)
		default:
			within += c.slope[i] * (v + w) / 2 * (a/w - b/v)
			mix += c.slope[i] * (w - v) * ((a/w+b/v)/2 - c.p[i])
		}
	}
	return within, mix
}

func total(counts []uint64) float64 {
	var n uint64
	for _, c := range counts {
		n += c
	}
	return float64(n)
}

// sum adds the counts of the groups, by cell.
func sum(groups []group, of func(group) []uint64) []uint64 {
	var all []uint64
	for _, g := range groups {
		counts := of(g)
		if all == nil {
			all = make([]uint64, len(counts))
		}
		for i, n := range counts {
			all[i] += n
		}
	}
	return all
}

// rest returns what whole has more than the sum of the parts. Parts that were
// read a moment later may hold more than the whole: then there is no rest.
func rest(whole, parts []uint64) []uint64 {
	left := make([]uint64, len(whole))
	for i, n := range whole {
		left[i] = n
		if parts != nil {
			left[i] -= min(n, parts[i])
		}
	}
	return left
}

// byShare puts the greatest share first.
func byShare(parts []Part) {
	slices.SortStableFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Name, b.Name))
	})
}
