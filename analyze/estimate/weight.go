package estimate

// Weight is what predictions weigh together where their producer samples: the sum
// of the requests that each stands for, at least 1, and the sum of the squares of
// that. The zero Weight is one request for each prediction, that is, no sampling.
type Weight struct{ Requests, Squares float64 }

// Tally is a number of predictions and what they weigh.
type Tally struct {
	Count  int64
	Weight Weight
}

// weight is what the predictions weigh, one request each unless it is said.
func (t Tally) weight() Weight { return t.Weight.ofEach(float64(t.Count)) }

// Less returns the tally without others, none and no weight where there are none
// left. What is left weighs at least as much as without sampling.
func (t Tally) Less(other Tally) Tally {
	n := t.Count - other.Count
	if n <= 0 {
		return Tally{}
	}
	requests := max(t.Weight.Requests-other.Weight.Requests, float64(n))
	return Tally{n, Weight{requests, max(t.Weight.Squares-other.Weight.Squares, requests*requests/float64(n))}}
}

// ofEach returns the weight, which is one request each where none is given.
func (w Weight) ofEach(predictions float64) Weight {
	if w == (Weight{}) {
		return Weight{predictions, predictions}
	}
	return w
}

// Add takes in what other predictions weigh.
func (w *Weight) Add(other Weight) {
	w.Requests += other.Requests
	w.Squares += other.Squares
}

// Thin is how many equal observations one request of these is worth, in (0, 1]: 1
// unless they are sampled, and without any.
func (w Weight) Thin() float64 {
	if w.Squares == 0 {
		return 1
	}
	return w.Requests / w.Squares
}

// Effective is how many equal observations they are worth (Kish 1965, section
// 8.2): their number if all weigh alike, and less if not.
func (w Weight) Effective() float64 { return w.Requests * w.Thin() }

// unseen are the sums of a, a x and a x^2 over sampled predictions, where x is what
// is said that a prediction is worth and a = w^2 - w for one that stands for w
// requests. They are all 0 without sampling.
//
// Where each request is logged by itself with the chance 1/w, the variance of the
// weighted mean m about that of all requests is the sum of a (x - m)^2 over the
// square of the sum of w (Hajek's ratio estimate; Sarndal, Swensson & Wretman 1992,
// result 5.7.1 for Poisson sampling).
type unseen struct{ n, sum, squares float64 }

// add takes in predictions that are worth mean on average, with a variance of what
// is said of them.
func (u *unseen) add(w Weight, mean, variance float64) {
	a := w.Squares - w.Requests
	u.n += a
	u.sum += a * mean
	u.squares += a * (mean*mean + variance)
}

// about is the sum of a (x - m)^2.
func (u unseen) about(m float64) float64 { return max(u.squares-2*m*u.sum+m*m*u.n, 0) }

// move adds d to what every prediction is worth.
func (u *unseen) move(d float64) {
	u.squares += d * (2*u.sum + d*u.n)
	u.sum += d * u.n
}
