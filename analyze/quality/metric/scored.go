package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Scored are labelled predictions of a model of several classes that gives each
// class a score. Every class is held against all others, and the metrics are means
// over the classes: macro weighs them alike, weighted by their labels.
type Scored struct {
	scores [][]float64 // by class, then prediction
	truth  []int
	times  []int64
	counts []int64 // labels by class
	// weights and squares are sums over predictions, vectors how many of these have
	// scores that are probabilities of the classes.
	weights, squares float64
	vectors          int
}

// NewScored collects predictions of some classes, at least 2.
func NewScored(classes int) (*Scored, error) {
	if classes < 2 {
		return nil, fmt.Errorf("scores of %d classes: at least 2", classes)
	}
	return &Scored{scores: make([][]float64, classes), counts: make([]int64, classes)}, nil
}

// oneAlmost is how far scores may be from adding up to 1 and still be
// probabilities: what rounding to three digits leaves of ten classes.
const oneAlmost = 0.01

// Add counts one prediction, with a score of every class, as often as its weight
// says.
func (s *Scored) Add(scores []float64, truth int, times int64) error {
	if len(scores) != len(s.scores) || truth < 0 || truth >= len(scores) {
		return fmt.Errorf("%d scores and class %d of %d classes", len(scores), truth, len(s.scores))
	}
	sum, vector := 0.0, true
	for class, x := range scores {
		if math.IsNaN(x) {
			return fmt.Errorf("the score of class %d is NaN", class)
		}
		s.scores[class] = append(s.scores[class], x)
		sum, vector = sum+x, vector && x >= 0 && x <= 1
	}
	if vector && math.Abs(sum-1) <= oneAlmost {
		s.vectors++
	}
	s.truth, s.times = append(s.truth, truth), append(s.times, times)
	s.counts[truth] += times
	s.weights += float64(times)
	s.squares += square(float64(times))
	return nil
}

func (s *Scored) seen() seen {
	return seen{Labelled: int64(s.weights), Positives: slices.Min(s.counts)}
}

// Values returns the areas under the curves, log loss, Brier score and calibration
// error over all classes, as scikit-learn has them.
func (s *Scored) Values() []Value {
	thin := ThinningOf(s.weights, s.squares)
	return append(s.areas(thin), s.losses(thin)...)
}

// areas are the areas under ROC and PR curves of each class against all others.
func (s *Scored) areas(thin Thinning) []Value {
	k, n := len(s.scores), s.weights
	alike, byLabels := make([]float64, len(s.truth)), make([]float64, len(s.truth)) // influence of each prediction
	shares := make([]float64, k)
	rank, precision := make([]float64, k), make([]float64, k)
	for class := range s.scores {
		shares[class] = ratio(float64(s.counts[class]), n)
		var influence []float64
		rank[class], influence = s.placements(class)
		for i, x := range influence {
			alike[i] += x / float64(k)
			byLabels[i] += x * shares[class]
		}
		precision[class] = s.curve(class).PRAUCAt(thin).Value
	}
	macro, weighted := mean(rank), dot(shares, rank)
	for i, class := range s.truth {
		byLabels[i] += (rank[class] - weighted) / n // the shares of the classes are counted, too
	}
	// Boyd, Eng and Page's standard errors, added up: how those of different classes
	// go together is not known, and no more than that can come of it.
	errs, spread := make([]float64, k), 0.0
	for class, p := range precision {
		errs[class] = math.Sqrt(p * (1 - p) / thin.of(s.counts[class]))
		spread += shares[class] * square(p-dot(shares, precision)) / (n * float64(thin))
	}
	area := func(id ID, value, se float64) Value {
		return judgeAt(id, value, s.seen(), thin, func() Interval {
			if value <= 0 || value >= 1 || se == 0 {
				return perfect(value, slices.Min(s.counts), thin)
			}
			return logitInterval(value, se, n*float64(thin))
		})
	}
	return []Value{
		area(MacroROCAUC, macro, s.deviation(alike, thin)), area(WeightedROCAUC, weighted, s.deviation(byLabels, thin)),
		area(MacroPRAUC, mean(precision), mean(errs)), area(WeightedPRAUC, dot(shares, precision), dot(shares, errs)+math.Sqrt(spread)),
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func dot(w, x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += w[i] * v
	}
	return sum
}

// curve is one class against all others.
func (s *Scored) curve(class int) Curve {
	cells := make([]Cell, len(s.truth))
	for i, x := range s.scores[class] {
		cells[i].Score = x
		if s.truth[i] == class {
			cells[i].Positives = s.times[i]
		} else {
			cells[i].Negatives = s.times[i]
		}
	}
	c, _ := NewCurve(cells)
	return c
}

// placements returns the area under the ROC curve of a class and how much each
// prediction moves it: its placement among those of the other kind less the area,
// by the number of its kind (DeLong, DeLong & Clarke-Pearson 1988). The same
// prediction has a part in every class, so that they are added up before they are
// squared.
func (s *Scored) placements(class int) (area float64, influence []float64) {
	order := make([]int, len(s.truth))
	for i := range order {
		order[i] = i
	}
	x := s.scores[class]
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	p := float64(s.counts[class])
	n := s.weights - p
	influence = make([]float64, len(order))
	lowP, lowN := 0.0, 0.0
	for from := 0; from < len(order); {
		to, tiedP, tiedN := from, 0.0, 0.0
		for ; to < len(order) && x[order[to]] == x[order[from]]; to++ {
			if i := order[to]; s.truth[i] == class {
				tiedP += float64(s.times[i])
			} else {
				tiedN += float64(s.times[i])
			}
		}
		for _, i := range order[from:to] {
			if s.truth[i] == class {
				influence[i] = (lowN + tiedN/2) / n
				area += float64(s.times[i]) * influence[i] / p
			} else {
				influence[i] = (p - lowP - tiedP/2) / p
			}
		}
		lowP, lowN, from = lowP+tiedP, lowN+tiedN, to
	}
	if p == 0 || n == 0 {
		area = math.NaN()
	}
	for i := range influence {
		of := n
		if s.truth[i] == class {
			of = p
		}
		influence[i] = (influence[i] - area) / of
	}
	return area, influence
}

// deviation is the standard error of what predictions move so much, with one
// degree of freedom less for each class, as DeLong's.
func (s *Scored) deviation(influence []float64, thin Thinning) float64 {
	variance := 0.0
	for i, x := range influence {
		m := thin.of(s.counts[s.truth[i]])
		variance += float64(s.times[i]) * x * x * m / (m - 1)
	}
	return math.Sqrt(variance / float64(thin))
}

// losses are those of scores that are probabilities of the classes.
func (s *Scored) losses(thin Thinning) []Value {
	ids := []ID{MultiLogLoss, MultiBrier, MacroECE}
	if s.vectors < len(s.truth) {
		var none []Value
		for _, id := range ids {
			none = append(none, Value{Metric: id, Value: math.NaN(), Interval: Interval{Low: math.NaN(), High: math.NaN()}, State: Missing,
				Why: fmt.Sprintf("the scores of %d of %d predictions are no probabilities that add up to 1", len(s.truth)-s.vectors, len(s.truth))})
		}
		return none
	}
	var logs, squares Moments
	for i, truth := range s.truth {
		miss := 0.0
		for class := range s.scores {
			miss += square(s.scores[class][i] - indicator(class == truth))
		}
		logs.AddTimes(-math.Log(s.scores[truth][i]), s.times[i])
		squares.AddTimes(miss, s.times[i])
	}
	rarest := slices.Min(s.counts)
	log := logs.MeanAt(MultiLogLoss, rarest, rarest, thin)
	if math.IsInf(log.Value, 1) {
		log.Interval, log.State, log.Why = none(), Insufficient, "a class with a score of 0 was the truth, so the mean is infinite"
	}
	return []Value{log, squares.MeanAt(MultiBrier, rarest, rarest, thin), s.calibration(thin)}
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// calibration is the mean over classes of each one's calibration error over ten
// bins. The ends of its interval are the means of theirs: no less than what would
// hold if all erred together.
func (s *Scored) calibration(thin Thinning) Value {
	const bins = 10
	errs, lows, highs := make([]float64, len(s.scores)), make([]float64, len(s.scores)), make([]float64, len(s.scores))
	for class, column := range s.scores {
		cells := make([]Bin, bins)
		for i, x := range column {
			b := &cells[min(int(x*bins), bins-1)]
			b.N, b.ScoreSum = b.N+s.times[i], b.ScoreSum+x*float64(s.times[i])
			if s.truth[i] == class {
				b.Positives += s.times[i]
			}
		}
		v := CalibrationErrorAt(cells, thin)
		errs[class], lows[class], highs[class] = v.Value, v.Low, v.High
	}
	return judgeAt(MacroECE, mean(errs), s.seen(), thin, func() Interval { return Interval{Low: mean(lows), High: mean(highs)} })
}
