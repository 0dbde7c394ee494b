package baseline

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

const (
	// unresolvedShare is the mass of a bucket of several values above which the
	// series is unresolved.
	unresolvedShare = 0.02
	// sampleSize is how many numbers of a column an offset is tried on.
	sampleSize = 20_000
	// sketchSize is how many hashes tell how many values a column has: to 3 %.
	sketchSize = 1024
	// identifierShare is the share of distinct values from which a column of
	// texts or integers looks like an identifier, of at least identifierRows.
	identifierShare, identifierRows = 0.95, 100
)

// cell is what one bucket of the grid holds.
type cell struct {
	count  int64
	lo, hi float64
}

// profile is what is known of one column.
type profile struct {
	name  string
	kind  Kind
	role  string // feature, score ...
	odds  bool   // counted on the grid of odds
	rows  int64
	nulls int64
	// finite counts finite numbers; NaN and infinities are counted apart.
	finite, nans int64
	min, max     float64
	whole        bool // all numbers are integers
	step         uint64
	first        int64
	cells        map[int32]cell
	sample       []float64
	random       *rand.Rand
	distinct     sketch
}

func newProfile(name, role string, kind Kind) *profile {
	return &profile{
		name: name, role: role, kind: kind, whole: true, min: math.Inf(1), max: math.Inf(-1),
		cells: map[int32]cell{}, random: rand.New(rand.NewPCG(1, 2)), distinct: sketch{limit: math.MaxUint64, seen: map[uint64]bool{}},
	}
}

// add looks at the values of one batch.
func (p *profile) add(v *Vector) {
	for i, null := range v.Null {
		p.rows++
		if null {
			p.nulls++
			continue
		}
		switch p.kind {
		case KindInt:
			p.number(float64(v.Ints[i]))
			p.integer(v.Ints[i])
			p.distinct.add(hashNumber(uint64(v.Ints[i])))
		case KindTime:
			p.number(float64(v.Ints[i]) / 1e6)
			p.distinct.add(hashNumber(uint64(v.Ints[i])))
		case KindBool:
			p.distinct.add(hashNumber(uint64(v.Ints[i])))
		case KindFloat:
			p.number(v.Floats[i])
			p.distinct.add(hashNumber(math.Float64bits(v.Floats[i])))
		case KindText:
			p.distinct.add(xxhash.Sum64String(v.Texts[i]))
		}
	}
}

// hashNumber returns a hash that is the same in every process: so is the report.
func hashNumber(bits uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], bits)
	return xxhash.Sum64(b[:])
}

// integer gathers the greatest common divisor of the differences.
func (p *profile) integer(n int64) {
	if p.finite == 1 {
		p.first = n
	}
	// Two's complement: the difference as uint64 is right up to its sign.
	d := uint64(n - p.first)
	if n < p.first {
		d = -d
	}
	p.step = gcd(p.step, d)
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (p *profile) number(x float64) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		p.nans++
		return
	}
	p.finite++
	p.min, p.max = min(p.min, x), max(p.max, x)
	p.whole = p.whole && x == math.Trunc(x)
	b := p.bucket(x)
	c, ok := p.cells[b]
	if !ok {
		c = cell{lo: x, hi: x}
	}
	c.count, c.lo, c.hi = c.count+1, min(c.lo, x), max(c.hi, x)
	p.cells[b] = c
	// Reservoir sampling.
	if len(p.sample) < sampleSize {
		p.sample = append(p.sample, x)
	} else if at := p.random.Int64N(p.finite); at < sampleSize {
		p.sample[at] = x
	}
}

func (p *profile) bucket(x float64) int32 {
	if p.odds && x >= 0 && x <= 1 {
		return grid.OddsBucket(x)
	}
	return grid.Bucket(x)
}

// worst returns the largest share of a bucket that holds several values, and
// its ends.
func (p *profile) worst() (share float64, c cell) {
	for _, k := range p.cells {
		if k.lo != k.hi && (k.count > c.count || k.count == c.count && k.lo < c.lo) {
			c = k
		}
	}
	return float64(c.count) / float64(max(1, p.finite)), c
}

// proposal is (x - Offset) / Scale, under which a series would be resolved.
type proposal struct {
	Offset, Scale float64
	// Worst is the largest share of a bucket of several values then, on a sample.
	Worst float64
}

// propose tries the least value and the median as offsets: around them the
// grid is finest. The least value is preferred where it suffices, because people
// read it.
func (p *profile) propose() proposal {
	sorted := slices.Clone(p.sample)
	slices.Sort(sorted)
	scale := 1.0
	if p.kind == KindInt && p.step > 1 && bits.Len64(p.step) <= 53 {
		scale = float64(p.step)
	}
	low := proposal{Offset: p.min, Scale: scale}
	low.Worst = worstOf(sorted, low)
	if low.Worst <= unresolvedShare {
		return low
	}
	middle := proposal{Offset: sorted[len(sorted)/2], Scale: scale}
	if middle.Worst = worstOf(sorted, middle); middle.Worst < low.Worst {
		return middle
	}
	return low
}

// worstOf is worst over sorted values after a proposal. A sorted run of one
// bucket stands together.
func worstOf(sorted []float64, by proposal) float64 {
	worst := 0
	for i := 0; i < len(sorted); {
		b := grid.Bucket((sorted[i] - by.Offset) / by.Scale)
		j := i + 1
		for j < len(sorted) && grid.Bucket((sorted[j]-by.Offset)/by.Scale) == b {
			j++
		}
		if sorted[i] != sorted[j-1] {
			worst = max(worst, j-i)
		}
		i = j
	}
	return float64(worst) / float64(max(1, len(sorted)))
}

// sketch estimates how many values there are from the least hashes (k minimum
// values); below its size it is exact.
type sketch struct {
	seen  map[uint64]bool
	limit uint64
}

func (s *sketch) add(h uint64) {
	if h > s.limit || s.seen[h] {
		return
	}
	if s.seen[h] = true; len(s.seen) < 2*sketchSize {
		return
	}
	all := make([]uint64, 0, len(s.seen))
	for h := range s.seen {
		all = append(all, h)
	}
	slices.Sort(all)
	for _, h := range all[sketchSize:] {
		delete(s.seen, h)
	}
	s.limit = all[sketchSize-1]
}

func (s *sketch) estimated() bool { return s.limit != math.MaxUint64 }

func (s *sketch) count() float64 {
	if !s.estimated() {
		return float64(len(s.seen))
	}
	return float64(len(s.seen)-1) / (float64(s.limit) / math.MaxUint64)
}

// remark is what people should know of a column.
type remark string

const (
	remarkEmpty      remark = "all null"
	remarkConstant   remark = "constant"
	remarkIdentifier remark = "looks like an identifier"
	remarkUnresolved remark = "unresolved"
)

func (p *profile) remarks() []remark {
	var r []remark
	values := p.rows - p.nulls
	distinct := p.distinct.count()
	switch {
	case values == 0:
		return []remark{remarkEmpty}
	case distinct == 1 && values > 1:
		return []remark{remarkConstant}
	case (p.kind == KindText || p.kind == KindInt) && values >= identifierRows && distinct >= identifierShare*float64(values):
		r = append(r, remarkIdentifier)
	}
	if share, _ := p.worst(); share > unresolvedShare {
		r = append(r, remarkUnresolved)
	}
	return r
}
