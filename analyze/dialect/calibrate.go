package dialect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
)

// NannyML's rule on when to calibrate scores.
const (
	calibrationSplits  = 10
	calibrationBins    = 10
	calibrationSeed    = 42
	calibrationTest    = 0.1
	calibrationPerfect = 0.999 // ROC AUC above which scores are left alone
)

// isotonic is scikit-learn's IsotonicRegression(out_of_bounds="clip"):
// increasing steps joined by straight lines.
type isotonic struct{ x, y []float64 }

// fitIsotonic pools adjacent violators. Scores closer than 1e-15 are one.
func fitIsotonic(scores []float64, truth []bool) isotonic {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmpFloat(scores[a], scores[b]) })
	type block struct {
		from, to    float64 // first and last score
		sum, weight float64
	}
	var blocks []block
	for _, i := range order {
		last := len(blocks) - 1
		if last >= 0 && scores[i]-blocks[last].from < 1e-15 {
			blocks[last].weight++
			blocks[last].sum += positive(truth[i])
			continue
		}
		blocks = append(blocks, block{from: scores[i], to: scores[i], sum: positive(truth[i]), weight: 1})
	}
	pooled := blocks[:0]
	for _, b := range blocks {
		for len(pooled) > 0 && pooled[len(pooled)-1].sum*b.weight >= b.sum*pooled[len(pooled)-1].weight {
			before := pooled[len(pooled)-1]
			b = block{from: before.from, to: b.to, sum: before.sum + b.sum, weight: before.weight + b.weight}
			pooled = pooled[:len(pooled)-1]
		}
		pooled = append(pooled, b)
	}
	var fit isotonic
	for _, b := range pooled {
		fit.x, fit.y = append(fit.x, b.from), append(fit.y, b.sum/b.weight)
		if b.to > b.from {
			fit.x, fit.y = append(fit.x, b.to), append(fit.y, b.sum/b.weight)
		}
	}
	return fit
}

// at returns the calibrated probability of a score.
func (f isotonic) at(score float64) float64 {
	last := len(f.x) - 1
	switch {
	case score <= f.x[0]:
		return f.y[0]
	case score >= f.x[last]:
		return f.y[last]
	}
	i := sort.SearchFloat64s(f.x, score)
	if f.x[i] == score {
		return f.y[i]
	}
	slope := (f.y[i] - f.y[i-1]) / (f.x[i] - f.x[i-1])
	return float64(slope*(score-f.x[i-1])) + f.y[i-1]
}

func positive(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// needsCalibration is NannyML's rule: over ten stratified splits of a tenth,
// drawn with the seed it has in its source, isotonic calibration must lower
// the expected calibration error of the held-out scores taken together.
func needsCalibration(scores []float64, truth []bool) (bool, error) {
	auc := rocAUC(scores, truth)
	if math.IsNaN(auc) || auc > calibrationPerfect {
		return false, nil
	}
	var heldTruth []bool
	var raw, calibrated []float64
	err := stratifiedSplits(truth, func(train, test []int) {
		fit := fitIsotonic(pick(scores, train), pick(truth, train))
		for _, i := range test {
			heldTruth = append(heldTruth, truth[i])
			raw = append(raw, scores[i])
			calibrated = append(calibrated, fit.at(scores[i]))
		}
	})
	if err != nil {
		return false, err
	}
	return calibrationError(raw, heldTruth) > calibrationError(calibrated, heldTruth), nil
}

func pick[T any](values []T, at []int) []T {
	out := make([]T, len(at))
	for i, j := range at {
		out[i] = values[j]
	}
	return out
}

// stratifiedSplits is scikit-learn's StratifiedShuffleSplit with ten splits, a
// tenth held out and random_state=42, draw for draw.
func stratifiedSplits(truth []bool, visit func(train, test []int)) error {
	var classes [2][]int
	for i, t := range truth {
		classes[int(positive(t))] = append(classes[int(positive(t))], i)
	}
	n := len(truth)
	held := int(math.Ceil(calibrationTest * float64(n)))
	if len(classes[0]) < 2 || len(classes[1]) < 2 || held < 2 || n-held < 2 {
		return fmt.Errorf("split %d rows, %d of them positive, ten times: %w", n, len(classes[1]), errTooFew)
	}
	rng := newMersenne(calibrationSeed)
	for range calibrationSplits {
		counts := [2]int{len(classes[0]), len(classes[1])}
		trains := approximateMode(counts, n-held, rng)
		tests := approximateMode([2]int{counts[0] - trains[0], counts[1] - trains[1]}, held, rng)
		var train, test []int
		for c, members := range classes {
			order := make([]int, len(members))
			for i := range order {
				order[i] = i
			}
			rng.permute(order)
			train = append(train, pick(members, order[:trains[c]])...)
			test = append(test, pick(members, order[trains[c]:trains[c]+tests[c]])...)
		}
		rng.permute(train)
		rng.permute(test)
		visit(train, test)
	}
	return nil
}

var errTooFew = errors.New("too few rows")

// approximateMode shares draws between two classes by their counts. The one
// that rounding leaves over goes to the larger remainder, or by lot.
func approximateMode(counts [2]int, draws int, rng *mersenne) [2]int {
	total := float64(counts[0] + counts[1])
	var out [2]int
	var rest [2]float64
	for c, count := range counts {
		share := float64(count) / total * float64(draws)
		out[c] = int(share)
		rest[c] = share - math.Floor(share)
	}
	if out[0]+out[1] == draws {
		return out
	}
	winner := 0
	switch {
	case rest[1] > rest[0]:
		winner = 1
	case rest[1] == rest[0]:
		lot := []int{0, 1}
		rng.permute(lot)
		winner = lot[0]
	}
	out[winner]++
	return out
}

// calibrationError is NannyML's expected calibration error on ten bins of equal
// count. Ten splits hold out as many scores each, so that ten divides them.
func calibrationError(scores []float64, truth []bool) float64 {
	order := argsort(scores)
	width := len(scores) / calibrationBins
	ece := 0.0
	for bin := range calibrationBins {
		p, y := 0.0, 0.0
		for _, i := range order[bin*width : (bin+1)*width] {
			p += scores[i]
			y += positive(truth[i])
		}
		size := float64(width)
		ece += size / float64(len(scores)) * math.Abs(p/size-y/size)
	}
	return ece
}
