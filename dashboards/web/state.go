package web

import (
	"cmp"
	"math"
	"slices"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
)

// state is how something is doing. Missing is a state of its own: what nobody
// measured is not healthy.
type state string

const (
	stateBreach     state = plumbline.VerdictBreach
	stateMissing    state = plumbline.VerdictMissing
	stateNear       state = "near"
	stateUndeclared state = "undeclared"
	stateOK         state = plumbline.VerdictOK
)

// Word is what the page says for the state.
func (s state) Word() string {
	switch s {
	case stateBreach:
		return "in breach"
	case stateMissing:
		return noData
	case stateNear:
		return "close"
	case stateUndeclared:
		return "undeclared"
	case stateOK:
		return "within bounds"
	}
	return string(s)
}

// rank orders states by how soon somebody should look.
func (s state) rank() int {
	return slices.Index([]state{stateBreach, stateMissing, stateNear, stateUndeclared, stateOK}, s)
}

// stateOfVerdict reads the column findings.verdict; insufficient data is
// missing data.
func stateOfVerdict(verdict string) state {
	switch verdict {
	case plumbline.VerdictOK:
		return stateOK
	case plumbline.VerdictBreach:
		return stateBreach
	}
	return stateMissing
}

// burnPair is one window pair of an SLO for one deploy, against its threshold.
type burnPair struct {
	SLO, Deploy, Severity string
	Long, Short           string
	Threshold             float64
	// LongShare and ShortShare are the bad shares, 0 to 1; nil is no data.
	LongShare, ShortShare *float64
	// LongLow is the lower end of LongShare's 95 % interval.
	LongLow  *float64
	Coverage *float64
	// Compared is what the alert compares: LongLow of labels, of events as they
	// come LongShare itself.
	Compared *float64
	// Waits says that noise may have done what is beyond the threshold, so that no
	// page comes of it.
	Waits bool
	// Nearness is the smaller of Compared and ShortShare, over the threshold: the
	// alert fires beyond 1. Nil if a window says nothing.
	Nearness *float64
	State    state
	Bars     barGeometry
}

// nearEnough is the nearness from which a pair is called close, as on the
// on-call dashboard.
const nearEnough = 0.5

// burnPairs puts the newest burn findings of a model beside the thresholds of
// its objectives. An objective without findings yields pairs without data.
func (c Config) burnPairs(model string, rows []burnRow) []burnPair {
	var pairs []burnPair
	for _, o := range c.Objectives {
		if string(o.SLO.Model) != model {
			continue
		}
		for _, deploy := range deploysOf(string(o.SLO.Name), model, rows) {
			for _, w := range o.Pairs {
				if p := newBurnPair(o.SLO, w, deploy, rows); p.State != stateMissing || !p.servesNoMore(rows) {
					pairs = append(pairs, p)
				}
			}
		}
	}
	// What is worst is looked at first; equals stay in their order.
	slices.SortStableFunc(pairs, func(a, b burnPair) int { return cmp.Compare(a.State.rank(), b.State.rank()) })
	setBars(pairs)
	return pairs
}

// servesNoMore reports whether a window of the pair's deploy is empty because others
// serve: what it does not say is not missing.
func (p *burnPair) servesNoMore(rows []burnRow) bool {
	return slices.ContainsFunc(rows, func(r burnRow) bool {
		return r.SLO == p.SLO && r.Deploy == p.Deploy && r.Verdict == plumbline.VerdictMissing && r.Assumes == plumbline.AssumesElsewhere
	}) && slices.ContainsFunc(rows, func(r burnRow) bool { return r.SLO == p.SLO && r.Deploy != p.Deploy })
}

// deploysOf returns the deploys that have a finding for the SLO, or one without
// a name so that the SLO is not left out.
func deploysOf(slo, model string, rows []burnRow) []string {
	var deploys []string
	for _, r := range rows {
		if r.SLO == slo && r.Model == model && !slices.Contains(deploys, r.Deploy) {
			deploys = append(deploys, r.Deploy)
		}
	}
	if len(deploys) == 0 {
		return []string{""}
	}
	slices.Sort(deploys)
	return deploys
}

func newBurnPair(slo plumbline.SLO, w plumbline.WindowPair, deploy string, rows []burnRow) burnPair {
	p := burnPair{
		SLO: string(slo.Name), Deploy: deploy, Severity: w.Severity, State: stateMissing,
		Long: plumbline.WindowName(w.Long), Short: plumbline.WindowName(w.Short), Threshold: w.Threshold(slo.Target),
	}
	for _, r := range rows {
		if r.SLO != p.SLO || r.Model != string(slo.Model) || r.Deploy != deploy {
			continue
		}
		if r.Window == p.Long {
			p.Coverage = finite(r.Coverage)
		}
		if stateOfVerdict(r.Verdict) == stateMissing {
			continue
		}
		switch r.Window {
		case p.Long:
			p.LongShare, p.LongLow, p.Compared = finite(r.Value), finite(r.Low), finite(r.Value)
			if slo.SLI.Is(plumbline.SLIQuality) {
				p.Compared = p.LongLow
			} else {
				p.Waits = w.Noise > 0 && !(r.Noise <= w.Noise)
			}
		case p.Short:
			p.ShortShare = finite(r.Value)
		}
	}
	if p.Compared == nil || p.ShortShare == nil {
		return p
	}
	nearness := min(*p.Compared, *p.ShortShare) / p.Threshold
	p.Nearness = &nearness
	p.Waits = p.Waits && nearness >= 1
	switch {
	case nearness >= 1 && !p.Waits:
		p.State = stateBreach
	case nearness >= nearEnough:
		p.State = stateNear
	default:
		p.State = stateOK
	}
	return p
}

// worstPair returns the pair that is nearest to its alert, those in breach before
// others, or nil if none of them can say.
func worstPair(pairs []burnPair) *burnPair {
	var worst *burnPair
	for i := range pairs {
		if p := &pairs[i]; p.Nearness != nil && (worst == nil || p.worse(worst)) {
			worst = p
		}
	}
	return worst
}

func (p *burnPair) worse(other *burnPair) bool {
	if breach := p.State == stateBreach; breach != (other.State == stateBreach) {
		return breach
	}
	return *p.Nearness > *other.Nearness
}

// silentSLO returns the first SLO of the pairs that no window of any deploy can
// say anything about, empty if there is none.
func silentSLO(pairs []burnPair) string {
	for _, p := range pairs {
		speaks := slices.ContainsFunc(pairs, func(other burnPair) bool { return other.SLO == p.SLO && other.Nearness != nil })
		if !speaks {
			return p.SLO
		}
	}
	return ""
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// ownerOf returns the owner of a model, empty if it has none, and whether
// anybody declared it.
func (c Config) ownerOf(model string) (owner string, declared bool) {
	for _, entry := range c.Owners {
		if slices.Contains(entry.Models, plumbline.Model(model)) {
			return string(entry.Name), true
		}
	}
	for _, o := range c.Objectives {
		if string(o.SLO.Model) == model {
			return string(o.SLO.Owner), true
		}
	}
	return "", slices.Contains(c.Models, plumbline.Model(model))
}

// declared lists every model that an owner or an objective names, sorted.
func (c Config) declared() []string {
	var models []string
	for _, m := range c.Models {
		models = append(models, string(m))
	}
	for _, entry := range c.Owners {
		for _, m := range entry.Models {
			models = append(models, string(m))
		}
	}
	for _, o := range c.Objectives {
		models = append(models, string(o.SLO.Model))
	}
	slices.SortFunc(models, strings.Compare)
	return slices.Compact(models)
}
