package alarm

import (
	"fmt"
	"math"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Block is one distance over one block of time.
type Block struct {
	// End is when the block ends, in event time. Blocks end at multiples of
	// their length since the Unix epoch.
	End time.Time
	// Reference names what the block was compared with, for example the hash of
	// a training set; a moving reference keeps one name. Another name closes an
	// open ticket and starts over, history included.
	Reference string
	// Events is the number of independent events of the block: where the result
	// was judged with an overdispersion, the events over it.
	Events uint64
	// Freedom is in how many directions the sampling noise of the distance
	// spreads, see Freedom; 0 counts as 1, which is the most cautious.
	Freedom float64
	// Result is the distance of the block from the reference, with the null mean
	// for their sizes and overdispersion. Overdispersion of the hours of the
	// block itself tells bursts and clusters before there is any history.
	Result measure.Result
	// Within is, for Prime alone, of how many blocks the reference consists if
	// this block is one of them, otherwise 0. A block lies nearer to a reference
	// that holds it than a later one will.
	Within int
}

// Freedom is in how many directions sampling noise spreads for a measure of so
// many filled cells: the degrees of freedom of sums over cells. For the norms it
// is the number whose chi-square varies, against its mean, at least as much as
// their square does.
func Freedom(id measure.ID, filled int) float64 {
	k := float64(max(1, filled-1))
	switch id {
	case measure.TVD:
		return max(1, 0.8*k)
	case measure.LInfinity, measure.KS, measure.CramerVonMises, measure.Wasserstein, measure.WassersteinScale:
		return min(2, k)
	default:
		return k
	}
}

// Status is what a block leaves a stream in.
type Status string

// The statuses.
const (
	// Quiet: nothing beyond what is usual and what matters.
	Quiet Status = "quiet"
	// Suspect: beyond both in this block, but not yet sure enough for a ticket
	// under the budget.
	Suspect Status = "suspect"
	// Opened: this block opened a ticket.
	Opened Status = "opened"
	// Open: the ticket of an earlier block is still open.
	Open Status = "open"
	// Insufficient: too few events, or a distance that is not defined.
	Insufficient Status = "insufficient"
	// Repeated: the block does not end after the last one; nothing was done.
	Repeated Status = "repeated"
)

// Verdict is what one block says.
type Verdict struct {
	Status Status
	// Ticket says that a ticket is open after this block, also where the status
	// is insufficient or repeated.
	Ticket bool
	// P is the probability that a quiet block lies as far away, NaN if nothing
	// could be said. E is its e-value.
	P, E float64
	// Evidence is what has accumulated, Threshold what opens a ticket.
	Evidence, Threshold float64
	// Usual is the distance that a quiet block of this size has, root mean
	// square, in the measure's unit (for sums over cells, their mean).
	Usual float64
	// Statistical says that the evidence suffices or that P is at most 1 %,
	// Practical that the debiased distance is at least the least effect.
	Statistical, Practical bool
	// Assumption says in words what P rests on.
	Assumption string
}

// suspicious is the p-value at or below which a block is suspect, unquiet the
// one at or below which it is no return to quiet.
const (
	suspicious = 0.01
	unquiet    = 0.05
)

// State is all that a detector keeps. It can be stored as JSON, and it can be
// had again by stepping through the same blocks.
type State struct {
	Last      time.Time
	Reference string
	// Evidence is one Shiryaev-Roberts statistic for each residue of the block's
	// number by the spacing.
	Evidence []float64
	History  History
	// Open says that a ticket is open, Since which block opened it, and Calm how
	// many blocks in a row were quiet since.
	Open  bool
	Since time.Time
	Calm  int
}

// Detector watches one stream: a feature of a segment by a measure against a
// reference. It is not safe for concurrent use.
type Detector struct {
	cfg   Config
	state State
}

// New returns a detector that has seen nothing. It returns an error if the
// configuration is not valid.
func New(cfg Config) (*Detector, error) { return Resume(cfg, State{}) }

// Resume returns a detector that goes on where another stopped. A state of
// another spacing keeps its history and loses its evidence.
func Resume(cfg Config, s State) (*Detector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("drift alarm: %w", err)
	}
	if len(s.Evidence) != cfg.Spacing {
		s.Evidence = make([]float64, cfg.Spacing)
	}
	return &Detector{cfg: cfg, state: s.clone()}, nil
}

// State returns what the detector has learnt so far.
func (d *Detector) State() State { return d.state.clone() }

func (s State) clone() State {
	s.Evidence = append([]float64(nil), s.Evidence...)
	s.History.Recent = append([]float64(nil), s.History.Recent...)
	return s
}

// Prime takes a block that is known to be quiet, such as a day of the training
// set against the whole of it or one of production before the deploy: history,
// and nothing else. Blocks of another reference than the last one's start over,
// as in Step.
func (d *Detector) Prime(b Block) {
	if !d.follow(b) {
		return
	}
	if n, ok := d.null(b); ok {
		noise := n.noise * n.freedom
		n.energy = noise + (n.energy-noise)*outside(b.Within)
		d.state.History.add(n, d.cfg)
	}
}

// outside is how many times as far from a reference of so many blocks, in
// squared units, a later block lies than one of them: (1 + 1/b) / (1 - 1/b), b
// being how many independent blocks tell its mean. With an autocorrelation of
// .7, as in worth, those are (1 - .7) / (1 + .7) of the blocks (Bartlett 1946).
func outside(blocks int) float64 {
	if blocks == 0 {
		return 1
	}
	b := max(2, 0.3/1.7*float64(blocks))
	return (b + 1) / (b - 1)
}

// follow moves on to the block's time and reference, false if it is not new.
func (d *Detector) follow(b Block) bool {
	if !b.End.After(d.state.Last) {
		return false
	}
	if b.Reference != d.state.Reference {
		d.state = State{Reference: b.Reference, Evidence: make([]float64, d.cfg.Spacing)}
	}
	d.state.Last = b.End
	return true
}

// Step takes the next block. Blocks must come in order of their end; gaps are
// allowed and say nothing.
func (d *Detector) Step(b Block) Verdict {
	v := Verdict{Status: Insufficient, P: math.NaN(), E: 1, Threshold: d.cfg.Threshold()}
	if !d.follow(b) {
		v.Status, v.Ticket = Repeated, d.state.Open
		return v
	}
	n, ok := d.null(b)
	if !ok {
		v.Ticket = d.state.Open
		v.Assumption = fmt.Sprintf("nothing: fewer than %d events or no distance", d.cfg.MinEvents)
		return v
	}
	v.P, v.Usual = n.p(), n.usual(b.Result.Measure)
	v.E = calibrate(v.P, v.Threshold)
	v.Practical = b.Result.Debiased >= b.Result.MinEffect
	v.Assumption = n.assumption(d.cfg)
	d.decide(&v, b)
	v.Ticket = d.state.Open
	if v.Status == Quiet || v.Status == Suspect {
		d.state.History.add(n, d.cfg)
	}
	return v
}

// decide moves the evidence and the ticket.
func (d *Detector) decide(v *Verdict, b Block) {
	seconds := max(1, int64(d.cfg.Block/time.Second))
	class := b.End.Unix() / seconds % int64(d.cfg.Spacing)
	if class < 0 {
		class += int64(d.cfg.Spacing)
	}
	if d.state.Open {
		d.cool(v)
		return
	}
	m := &d.state.Evidence[class]
	*m = min(v.E*(1+*m), 2*v.Threshold)
	v.Evidence = *m
	v.Statistical = v.Evidence >= v.Threshold || v.P <= suspicious
	switch {
	case v.Evidence >= v.Threshold && v.Practical:
		v.Status = Opened
		d.state.Open, d.state.Since, d.state.Calm = true, b.End, 0
		clear(d.state.Evidence)
		d.state.History.drop()
	case v.Statistical && v.Practical:
		v.Status = Suspect
	default:
		v.Status = Quiet
	}
}

// cool closes an open ticket after enough quiet blocks in a row. The blocks of
// an open ticket are no evidence and no history.
func (d *Detector) cool(v *Verdict) {
	v.Status = Open
	v.Statistical = v.P <= suspicious
	if v.P <= unquiet && v.Practical {
		d.state.Calm = 0
		return
	}
	d.state.Calm++
	if d.state.Calm >= d.cfg.Rearm {
		d.state.Open, d.state.Since, d.state.Calm = false, time.Time{}, 0
		v.Status = Quiet
	}
}
