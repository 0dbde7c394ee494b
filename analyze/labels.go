package analyze

import (
	"context"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/concept"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// minEvents is the number of events on either side under which nothing is called
// ok.
const minEvents = 100

// labelLook remembers when the labels of a model were looked at. It belongs to the
// one goroutine that steps.
type labelLook struct {
	reader concept.Reader
	cfg    Config
	looked map[plumbline.Model]attempt
}

func newLabelLook(reader concept.Reader, cfg Config) *labelLook {
	return &labelLook{reader: reader, cfg: cfg, looked: map[plumbline.Model]attempt{}}
}

// look compares the labels of a model, and of each of its production deploys the
// labels of like predictions, with those before.
func (l *labelLook) look(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	if last := l.looked[t.model]; last.stands(now, l.cfg.LabelInterval) {
		return nil, last.err
	}
	newest, ok := t.newest()
	if !ok {
		return nil, nil
	}
	findings, err := l.compare(ctx, t, newest)
	l.looked[t.model] = attempt{now, err}
	return findings, err
}

func (l *labelLook) compare(ctx context.Context, t traffic, newest deploy) ([]Finding, error) {
	q := concept.Query{Model: t.model, To: t.end}
	labels, delay, err := l.reader.Delay(ctx, t.model, t.end.Add(-l.cfg.LabelWindow-l.cfg.LabelHistory), t.end)
	if err != nil {
		return nil, err
	}
	// A window ends where labels are as old as its reference's are.
	q.Labels, q.Delay = labels, min((delay+time.Minute-1).Truncate(time.Minute), l.cfg.MaxLabelLag)
	q.To = t.end.Add(-q.Delay).Truncate(time.Second)
	q.Split = q.To.Add(-l.cfg.LabelWindow)
	q.From = q.Split.Add(-l.cfg.LabelHistory)
	var p concept.Periods
	if labels > 0 {
		if p, err = l.reader.Count(ctx, q); err != nil {
			return nil, err
		}
	}
	findings, err := l.labelDrift(newest, p, q)
	if err != nil {
		return nil, fmt.Errorf("label drift: %w", err)
	}
	for _, d := range t.deploys {
		if d.stage != plumbline.StageProduction || !d.served(q.To, l.cfg.LabelWindow) {
			continue
		}
		f, err := l.conceptDrift(d, p, q)
		if err != nil {
			return findings, fmt.Errorf("concept drift: %w", err)
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// newest returns the production deploy that began to serve last.
func (t traffic) newest() (newest deploy, ok bool) {
	for _, d := range t.deploys {
		if d.stage == plumbline.StageProduction && (!ok || d.first.After(newest.first)) {
			newest, ok = d, true
		}
	}
	return newest, ok
}

func (l *labelLook) finding(signal plumbline.SignalName, name string, d deploy, q concept.Query) Finding {
	f := newFinding(signal, name)
	f.Model, f.Deploy, f.Stage, f.Reference = q.Model, d.hash, d.stage, plumbline.ReferenceHistory
	f.Window, f.WindowEnd = l.cfg.LabelWindow, q.To
	f.Assumes = fmt.Sprintf("both sides count the labels that came within %s of their prediction, the one known last; predictions are independent", q.Delay)
	return f
}

// labelDrift compares the labels whichever deploy served: they are the world's.
func (l *labelLook) labelDrift(newest deploy, p concept.Periods, q concept.Query) ([]Finding, error) {
	before, now := concept.Merge(p.Before), concept.Merge(p.Now)
	var findings []Finding
	add := func(series string, n, m uint64, results []measure.Result) {
		for _, r := range results {
			f := l.finding(plumbline.SignalLabelDrift, string(r.Measure), newest, q)
			f.Feature, f.Count = plumbline.Feature(series), m
			f.measured(r, n, m)
			findings = append(findings, f)
		}
	}
	classes, err := concept.CompareClasses(before, now, l.cfg.distances(), l.cfg.Measures.Categories...)
	if err != nil {
		return nil, err
	}
	numbers, err := concept.CompareNumbers(before, now, l.cfg.distances(), onGrid(l.cfg.Measures.Numbers)...)
	if err != nil {
		return nil, err
	}
	c0, n0 := before.Kinds()
	c1, n1 := now.Kinds()
	if n0+n1 > 0 {
		add("label_value", n0, n1, numbers)
	}
	if c0+c1 > 0 || n0+n1 == 0 {
		add("label", c0, c1, classes)
	}
	return findings, nil
}

// onGrid returns the measures that need no cells.
func onGrid(ids []measure.ID) []measure.ID {
	var out []measure.ID
	for _, id := range ids {
		if d, ok := measure.Lookup(id); ok && !d.OnCells {
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		out = []measure.ID{measure.WassersteinScale}
	}
	return out
}

// measured fills in a result of samples of n and m events.
func (f *Finding) measured(r measure.Result, n, m uint64) {
	f.Value, f.NullMean, f.Low, f.High, f.P, f.Effect = r.Value, r.NullMean, r.Low, r.High, r.P, r.Debiased
	switch {
	case n == 0 || m == 0:
		f.Verdict = plumbline.VerdictMissing
	case r.Method == measure.None:
		f.Verdict = plumbline.VerdictInsufficient
	case r.Alarm:
		f.Verdict = plumbline.VerdictBreach
	case min(n, m) < minEvents:
		f.Verdict = plumbline.VerdictInsufficient
	default:
		f.Verdict = plumbline.VerdictOK
	}
}

// conceptDrift compares the labels of like predictions: with those of the same
// deploy before, or where it has few, with those of the deploys before it.
func (l *labelLook) conceptDrift(d deploy, p concept.Periods, q concept.Query) (Finding, error) {
	f := l.finding(plumbline.SignalConceptDrift, concept.MeasureConditional, d, q)
	before, now := p.Before[d.hash], p.Now[d.hash]
	if before.Total() < minEvents {
		others := map[plumbline.DeployHash]concept.Labels{}
		for hash, labels := range p.Now {
			if hash != d.hash {
				others[hash] = labels
			}
		}
		before = concept.Merge(p.Before, others)
		f.Reference = plumbline.ReferencePreviousDeploy
		f.Assumes += "; the reference is another deploy, whose answers may mean something else"
	}
	f.Count = now.Total()
	switch {
	case before.Total() == 0:
		return f, nil
	case now.Total() == 0:
		f.Verdict = plumbline.VerdictInsufficient
		f.Assumes += "; none of this deploy is as old as that"
		return f, nil
	}
	r, err := concept.Compare(before, now)
	if err != nil {
		return f, err
	}
	f.Value, f.NullMean, f.Low, f.High, f.P, f.Effect = r.Value, r.NullMean, r.Low, r.High, r.P, r.Effect()
	least := concept.MinEffect
	if v, ok := l.cfg.MinEffect[measure.TVD]; ok {
		least = v
	}
	o := l.cfg.distances()
	switch {
	case r.Strata == 0:
		f.Verdict = plumbline.VerdictInsufficient
	case r.P <= o.Alpha && f.Effect >= least:
		f.Verdict = plumbline.VerdictBreach
	case min(r.Labels, r.Reference) < minEvents:
		f.Verdict = plumbline.VerdictInsufficient
	default:
		f.Verdict = plumbline.VerdictOK
	}
	return f, nil
}
