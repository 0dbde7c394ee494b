package ask

import (
	"context"
	"errors"
	"math"
	"math/big"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// inHours reports whether outcome_hours can answer: its rows are by hour of the
// prediction and of knowing the label.
func (q Question) inHours() bool {
	whole := func(t time.Time) bool { return t.Equal(t.Truncate(time.Hour)) }
	return whole(q.From) && whole(q.To) && whole(q.AsOf)
}

// hourClasses counts predictions by class and bucket of the score from the
// rollups, by part.
func (a *Asker) hourClasses(ctx context.Context, q Question, d Declaration) (map[string]*tally, error) {
	part, slice := q.rolled()
	all := map[string]*tally{}
	err := a.each(ctx, "hours of classes", q.statement(hourClassesSQL, "/*part*/", part, "/*slice*/", slice), q.parameters(d), func(rows driver.Rows) error {
		var (
			name, on               string
			p                      pair
			other                  uint8
			n, right, count, score int64
			squares                float64
			losses                 [4]float64
			buckets                []int32
			counts                 []int64
		)
		if err := rows.Scan(&name, &p.predicted, &p.label, &other, &on, &n, &right, &count, &squares, &score, &losses[0], &losses[1], &losses[2], &losses[3], &buckets, &counts); err != nil {
			return err
		}
		t := all[name]
		if t == nil {
			t = newTally()
			t.hourly = true
			all[name] = t
		}
		p.name(other)
		t.rows, t.weights, t.squares, t.correct = t.rows+count, t.weights+n, t.squares+int64(squares), t.correct+right
		t.matrix[p] += n
		t.capped = t.capped || other != 0
		if d.Task != Binary {
			return nil
		}
		positive := p.label == d.Positive
		t.unranked += n - score
		t.grids[on] = t.grids[on] || score != 0
		for i, b := range buckets {
			t.bucket(grid.Version(on), b, counts[i], positive)
		}
		if on == string(grid.FullOdds) {
			t.logs.Merge(metric.Moments{N: score, Sum: losses[0], SquareSum: losses[1]})
			t.misses.Merge(metric.Moments{N: score, Sum: losses[2], SquareSum: losses[3]})
		}
		return nil
	})
	return all, err
}

// overCap stands for classes that have no name in the rollups.
const overCap = "(other)"

// name gives classes over the cap one.
func (p *pair) name(other uint8) {
	if other&1 != 0 {
		p.predicted = overCap
	}
	if other&2 != 0 {
		p.label = overCap
	}
}

// bucket counts predictions of one bucket. Scores in it are not told apart.
func (t *tally) bucket(on grid.Version, b int32, n int64, positive bool) {
	c := cell(float64(b), n, positive)
	c.Blurred = true
	if on != grid.FullOdds {
		t.cells = append(t.cells, c)
		return
	}
	low, high := probability(grid.Lower(b)), probability(grid.Lower(b+1))
	if b == grid.OddsBucket(0) || b == grid.OddsBucket(1) {
		// A probability of 0 or 1 has a bucket of its own.
		high = low
		c.Blurred = false
		if positive == (b == grid.OddsBucket(0)) {
			t.certain = true
		}
	}
	t.cells = append(t.cells, c)
	bin := min(int(low*10), 9)
	t.score(bin, n, float64(n)*(low+high)/2, positive)
	t.vague += float64(n) * (high - low) / 2
	if min(int(high*10), 9) != bin {
		t.vague += 2 * float64(n)
	}
}

func probability(odds float64) float64 {
	if math.IsInf(odds, 1) {
		return 1
	}
	return odds / (1 + odds)
}

// hourNumbers sums the errors of a regression from the rollups, by part.
func (a *Asker) hourNumbers(ctx context.Context, q Question, d Declaration) (map[string]*errorsOf, error) {
	part, slice := q.rolled()
	all := map[string]*errorsOf{}
	err := a.each(ctx, "hours of numbers", q.statement(hourNumbersSQL, "/*part*/", part, "/*slice*/", slice), q.parameters(d), func(rows driver.Rows) error {
		var (
			name    string
			e       errorsOf
			squares float64
			sums    []string
		)
		if err := rows.Scan(&name, &e.weights, &e.rows, &squares, &e.of.Percentage.N, &sums); err != nil {
			return err
		}
		e.squares = int64(squares)
		s, err := attos(sums)
		if err != nil {
			return err
		}
		e.fill(s, d.Quantile)
		all[name] = &e
		return nil
	})
	return all, err
}

// attos reads sums in units of 1e-18, exactly.
func attos(texts []string) ([]*big.Float, error) {
	unit := new(big.Float).SetPrec(400).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil))
	out := make([]*big.Float, len(texts))
	for i, text := range texts {
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			return nil, errors.New("a sum is no whole number: " + text)
		}
		out[i] = new(big.Float).SetPrec(400).Quo(new(big.Float).SetPrec(400).SetInt(n), unit)
	}
	return out, nil
}

// fill takes the sums in the order of hours_numbers.sql. Powers of the truth are
// moved to its mean before they become float64: so they keep their digits.
func (e *errorsOf) fill(s []*big.Float, quantile float64) {
	n := e.weights
	f := func(i int) float64 { x, _ := s[i].Float64(); return x }
	absolute, signed, squared, fourth, signedSquared := f(0), f(1), f(2), f(3), f(4)
	e.of.Absolute = metric.Moments{N: n, Sum: absolute, SquareSum: squared}
	e.of.Signed = metric.Moments{N: n, Sum: signed, SquareSum: squared}
	e.of.Squared = metric.Moments{N: n, Sum: squared, SquareSum: fourth}
	e.of.Percentage.Sum, e.of.Percentage.SquareSum, e.of.ZeroTruths = f(5), f(6), n-e.of.Percentage.N
	over, under := (absolute+signed)/2, (absolute-signed)/2
	over2, under2 := (squared+signedSquared)/2, (squared-signedSquared)/2
	e.pinball = metric.Moments{N: n, Sum: quantile*under + (1-quantile)*over, SquareSum: quantile*quantile*under2 + (1-quantile)*(1-quantile)*over2}

	number := func(x float64) *big.Float { return new(big.Float).SetPrec(400).SetFloat64(x) }
	times := func(x float64, y *big.Float) *big.Float { return new(big.Float).SetPrec(400).Mul(number(x), y) }
	sum := func(all ...*big.Float) float64 {
		total := number(0)
		for _, x := range all {
			total.Add(total, x)
		}
		x, _ := total.Float64()
		return x
	}
	c := f(7) / float64(n)
	// c^k is exact enough in big.Float only if it is made there.
	c1 := number(c)
	power := func(k int) *big.Float {
		p := number(1)
		for range k {
			p.Mul(p, c1)
		}
		return p
	}
	by := func(factor float64, k int, y *big.Float) *big.Float { return times(factor, power(k).Mul(power(k), y)) }
	m := number(float64(n))
	y1, y2, y3, y4 := s[7], s[8], s[9], s[10]
	e.powers = metric.Squares{
		N: n, Shift: c, E2: squared, E4: fourth,
		Y:    sum(y1, by(-1, 1, m)),
		Y2:   sum(y2, by(-2, 1, y1), by(1, 2, m)),
		Y3:   sum(y3, by(-3, 1, y2), by(3, 2, y1), by(-1, 3, m)),
		Y4:   sum(y4, by(-4, 1, y3), by(6, 2, y2), by(-4, 3, y1), by(1, 4, m)),
		YE2:  sum(s[11], by(-1, 1, s[2])),
		Y2E2: sum(s[12], by(-2, 1, s[11]), by(1, 2, s[2])),
	}
}
