package rules

import (
	"bytes"
	_ "embed" // windows.yml
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline"
)

//go:embed windows.yml
var windowsYAML []byte

// BasePair is one burn-rate condition as the SRE workbook gives it, before it
// meets a target.
type BasePair struct {
	Name     string
	Severity string
	// BudgetShare is the part of the error budget, 0 to 1, that is gone when
	// the condition has held for the long window.
	BudgetShare float64
	Long, Short time.Duration
}

// WindowTable is the content of windows.yml: the pairs and how they give way.
type WindowTable struct {
	Pairs []BasePair
	// Reachable is the highest bad share, 0 to 1, a threshold may ask for.
	Reachable float64
	// LeastFactor is the least burn-rate factor a pair may have.
	LeastFactor float64
	// Ladder are the long windows a pair may grow to, shortest first.
	Ladder []time.Duration
	// ShortDivisor is long window / short window of a re-derived pair.
	ShortDivisor int
	// Outage is the pair for an endpoint that is all but down.
	Outage Outage
	// RaisedFactor is the factor of page-fast where the period leaves no page.
	RaisedFactor float64
	// Use lists the names of the pairs by SLI kind.
	Use map[plumbline.SLIKind][]string
}

// Outage is a pair with a bad share in place of a share of the budget.
type Outage struct {
	BasePair
	// BadShare is the threshold, LeastTarget the least target that has the pair.
	BadShare, LeastTarget float64
}

// Pair is a burn-rate condition that can fire for its target.
type Pair struct {
	plumbline.WindowPair
	Name string
	// Rederived says that the long window was lengthened, for Reason.
	Rederived bool
	Reason    string
}

// Refused is a pair that has no window in which it could fire, or none in which
// it would say more than another.
type Refused struct {
	Name     string
	Severity string
	Reason   string
}

// PairSet is the outcome of deriving pairs for one target and period.
type PairSet struct {
	Pairs   []Pair
	Refused []Refused
}

// ErrNoPair is returned for a pair that cannot fire on any window of the
// ladder, or only on burning slower than planned.
var ErrNoPair = errors.New("no window fits")

// Windows reads the embedded table of window pairs. An error means that
// windows.yml itself is wrong; it names the entry.
func Windows() (WindowTable, error) {
	var raw struct {
		Pairs []struct {
			Name        string  `yaml:"name"`
			Severity    string  `yaml:"severity"`
			BudgetShare float64 `yaml:"budget_share"`
			Long        string  `yaml:"long"`
			Short       string  `yaml:"short"`
		} `yaml:"pairs"`
		Reachable    float64  `yaml:"reachable"`
		LeastFactor  float64  `yaml:"least_factor"`
		Ladder       []string `yaml:"ladder"`
		ShortDivisor int      `yaml:"short_divisor"`
		RaisedFactor float64  `yaml:"raised_factor"`
		Outage       struct {
			Name        string  `yaml:"name"`
			Severity    string  `yaml:"severity"`
			BadShare    float64 `yaml:"bad_share"`
			LeastTarget float64 `yaml:"least_target"`
			Long        string  `yaml:"long"`
			Short       string  `yaml:"short"`
		} `yaml:"outage"`
		Use map[plumbline.SLIKind][]string `yaml:"use"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(windowsYAML))
	dec.KnownFields(true)
	if err := dec.Decode(&raw); err != nil {
		return WindowTable{}, fmt.Errorf("read windows.yml: %w", err)
	}
	t := WindowTable{
		Reachable: raw.Reachable, LeastFactor: raw.LeastFactor,
		ShortDivisor: raw.ShortDivisor, Use: raw.Use, RaisedFactor: raw.RaisedFactor,
	}
	var errs []error
	duration := func(s string) time.Duration {
		d, err := ParseDuration(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("read windows.yml: %w", err))
		}
		return d
	}
	for _, p := range raw.Pairs {
		t.Pairs = append(t.Pairs, BasePair{
			Name: p.Name, Severity: p.Severity, BudgetShare: p.BudgetShare,
			Long: duration(p.Long), Short: duration(p.Short),
		})
	}
	t.Outage = Outage{BadShare: raw.Outage.BadShare, LeastTarget: raw.Outage.LeastTarget, BasePair: BasePair{
		Name: raw.Outage.Name, Severity: raw.Outage.Severity, Long: duration(raw.Outage.Long), Short: duration(raw.Outage.Short),
	}}
	for _, step := range raw.Ladder {
		t.Ladder = append(t.Ladder, duration(step))
	}
	return t, errors.Join(errs...)
}

// DerivePair fits one pair to a target (between 0 and 1) and a period. The
// budget share is kept; the long window is lengthened along the ladder until
// the threshold factor x (1 - target) is reachable. It returns ErrNoPair, with
// the reason, if the factor falls below plan before that, or the ladder ends.
func (t WindowTable) DerivePair(base BasePair, target float64, period time.Duration) (Pair, error) {
	first := base.Threshold(target, period)
	p := base.on(base.Long, base.Short, period)
	if first <= t.Reachable {
		return p, t.beyondPlan(p)
	}
	for _, long := range t.Ladder {
		if long <= base.Long {
			continue
		}
		p = base.on(long, long/time.Duration(t.ShortDivisor), period)
		if p.Threshold(target) > t.Reachable {
			continue
		}
		p.Rederived = true
		p.Reason = fmt.Sprintf(
			"%s over %s would ask for a bad share beyond %.3g, which is out of reach (limit %.3g); the budget share of %.3g is kept and the window is %s",
			base.Name, plumbline.WindowName(base.Long), first, t.Reachable, base.BudgetShare, plumbline.WindowName(long))
		return p, t.beyondPlan(p)
	}
	return p, fmt.Errorf("%s: %w: even over %s it would ask for a bad share beyond %.3g, limit %.3g",
		base.Name, ErrNoPair, plumbline.WindowName(p.Long), p.Threshold(target), t.Reachable)
}

func (t WindowTable) beyondPlan(p Pair) error {
	if p.Factor >= t.LeastFactor {
		return nil
	}
	return fmt.Errorf("%s: %w: over %s it would fire at %.3g times the planned burn, and a longer window only lowers that",
		p.Name, ErrNoPair, plumbline.WindowName(p.Long), p.Factor)
}

// Threshold is the bad share beyond which the pair, unchanged, would fire.
func (b BasePair) Threshold(target float64, period time.Duration) float64 {
	return b.on(b.Long, b.Short, period).Threshold(target)
}

func (b BasePair) on(long, short, period time.Duration) Pair {
	// Rounded to 1e-9 so that the workbook's 14.4, 6, 3 and 1 come out as
	// themselves and not one bit beside.
	factor := math.Round(b.BudgetShare*float64(period)/float64(long)*1e9) / 1e9
	return Pair{Name: b.Name, WindowPair: plumbline.WindowPair{
		Severity: b.Severity, Long: long, Short: short, BudgetShare: b.BudgetShare, Factor: factor,
	}}
}

// Derive fits the named pairs (all of them if names is empty) to a target and a
// period. Every pair of the table is either in the result's Pairs or, with its
// reason, in Refused. An error means that target or period is out of range.
func (t WindowTable) Derive(target float64, period time.Duration, names ...string) (PairSet, error) {
	if !(target > 0 && target < 1) {
		return PairSet{}, fmt.Errorf("deriving windows: target %v is not between 0 and 1", target)
	}
	if period <= 0 {
		return PairSet{}, fmt.Errorf("deriving windows: period %v is not positive", period)
	}
	var set PairSet
	for _, base := range t.Pairs {
		if len(names) > 0 && !slices.Contains(names, base.Name) {
			set.refuse(base, "this SLI kind does not use it")
			continue
		}
		p, err := t.DerivePair(base, target, period)
		if err != nil {
			set.refuse(base, err.Error())
			continue
		}
		set.add(p, base)
	}
	t.addOutage(&set, target, period, names)
	t.addRaised(&set, target, period, names)
	return set, nil
}

// addOutage adds the pair for an endpoint that is all but down, where the
// workbook's fast one would be late for it.
func (t WindowTable) addOutage(set *PairSet, target float64, period time.Duration, names []string) {
	o := t.Outage
	if len(names) > 0 && !slices.Contains(names, o.Name) || target < o.LeastTarget {
		return
	}
	i := slices.IndexFunc(t.Pairs, func(b BasePair) bool { return b.Long == o.Long && b.Severity == o.Severity })
	if i < 0 || t.Pairs[i].Threshold(target, period) <= o.BadShare {
		return
	}
	factor := o.BadShare / (1 - target)
	p := Pair{Name: o.Name, Rederived: true, WindowPair: plumbline.WindowPair{
		Severity: o.Severity, Long: o.Long, Short: o.Short, Factor: factor, BudgetShare: factor * float64(o.Long) / float64(period),
	}, Reason: fmt.Sprintf("%s would ask for a bad share beyond %.3g; a bad share beyond %.3g pages within %s too",
		t.Pairs[i].Name, t.Pairs[i].Threshold(target, period), o.BadShare, plumbline.WindowName(o.Long))}
	set.add(p, o.BasePair)
}

// addRaised adds page-fast with a larger share of the budget, if the period left
// no page at all.
func (t WindowTable) addRaised(set *PairSet, target float64, period time.Duration, names []string) {
	page := func(severity string) bool { return severity == plumbline.SeverityPage }
	i := slices.IndexFunc(t.Pairs, func(b BasePair) bool { return page(b.Severity) })
	if i < 0 || slices.ContainsFunc(set.Pairs, func(p Pair) bool { return page(p.Severity) }) ||
		len(names) > 0 && !slices.Contains(names, t.Pairs[i].Name) {
		return
	}
	base := t.Pairs[i]
	// Cut to 1e-9 so that the threshold is not one bit beyond what is reachable.
	factor := math.Floor(min(t.RaisedFactor, t.Reachable/(1-target))*1e9) / 1e9
	if factor < t.LeastFactor || base.Long > period {
		return
	}
	share := factor * float64(base.Long) / float64(period)
	set.Refused = slices.DeleteFunc(set.Refused, func(r Refused) bool { return r.Name == base.Name })
	set.Pairs = slices.Insert(set.Pairs, 0, Pair{Name: base.Name, Rederived: true,
		WindowPair: plumbline.WindowPair{Severity: base.Severity, Long: base.Long, Short: base.Short, Factor: factor, BudgetShare: share},
		Reason: fmt.Sprintf("over %s, %.3g of the budget within %s is burning slower than planned; the window is kept and the share is %.3g",
			plumbline.WindowName(period), base.BudgetShare, plumbline.WindowName(base.Long), share)})
}

func (s *PairSet) refuse(b BasePair, reason string) {
	s.Refused = append(s.Refused, Refused{Name: b.Name, Severity: b.Severity, Reason: reason})
}

// add drops a pair that another of the same severity on the same long window
// already covers: the one with the lower factor fires whenever the other does.
func (s *PairSet) add(p Pair, base BasePair) {
	for i, have := range s.Pairs {
		if have.Severity != p.Severity || have.Long != p.Long {
			continue
		}
		loser, winner := p, have
		if p.Factor < have.Factor {
			loser, winner = have, p
			s.Pairs[i] = p
		}
		s.Refused = append(s.Refused, Refused{
			Name: loser.Name, Severity: base.Severity,
			Reason: fmt.Sprintf("%s on the same windows fires whenever it would", winner.Name),
		})
		return
	}
	s.Pairs = append(s.Pairs, p)
}

// PairsFor fits the pairs that the SLO's kind uses to its target and period. It
// returns an error naming the SLO if not one of them can fire.
func PairsFor(slo plumbline.SLO) (PairSet, error) {
	t, err := Windows()
	if err != nil {
		return PairSet{}, err
	}
	set, err := t.Derive(slo.Target, slo.Period, t.Use[slo.SLI.Name()]...)
	if err != nil {
		return PairSet{}, fmt.Errorf("SLO %s: %w", slo.Name, err)
	}
	if err := set.addConditions(t, slo); err != nil {
		return PairSet{}, fmt.Errorf("SLO %s: %w", slo.Name, err)
	}
	if len(set.Pairs) == 0 {
		return set, &noPairError{slo, set.Refused}
	}
	return set, nil
}

// addConditions adds the burn rates that the SLO file asks for by itself. One
// that can never fire is an error: it was written to be paged by.
func (s *PairSet) addConditions(t WindowTable, slo plumbline.SLO) error {
	for i, c := range slo.Conditions {
		if wrong := twins(slo.Conditions[:i], c); wrong != "" {
			return fmt.Errorf("%s; %s", wrong, fixTwins)
		}
		if _, problem, fix := neverFires(slo, c); problem != "" {
			return fmt.Errorf("condition %s %s; %s", c.Name, problem, fix)
		}
		short := max((c.Lookback / time.Duration(t.ShortDivisor)).Truncate(time.Minute), time.Minute)
		p := Pair{Name: c.Name, WindowPair: plumbline.WindowPair{
			Severity: c.Severity, Long: c.Lookback, Short: short, Factor: c.Factor, For: c.After,
			BudgetShare: c.Factor * float64(c.Lookback) / float64(slo.Period),
		}}
		s.Pairs = append(s.Pairs, p)
	}
	return nil
}
