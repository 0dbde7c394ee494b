package web

import (
	"context"
	"net/url"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

type modelView struct {
	Now        time.Time
	GrafanaURL string
	Name       string
	Owner      string
	Declared   bool
	// Known is false for a name that nobody declared and that left no trace.
	Known   bool
	State   state
	Why     string
	Target  *float64
	Row     modelRow
	Summary section
	Deploys deploysPart
	Hours   hoursPart
	Drift   driftPart
	Burn    burnPart
	Budgets budgetsPart
	Notices noticesPart
}

type deploysPart struct {
	section
	Rows []deployView
}

// deployView is a deploy with what it did to accuracy.
type deployView struct {
	deployRow
	Before, After *float64
	// Change is After - Before; nil unless both are known.
	Change  *float64
	Current bool
}

// Fell reports a fall that is worth a colour: over 5 percentage points.
func (d deployView) Fell() bool { return d.Change != nil && *d.Change < -0.05 }

type hoursPart struct {
	section
	Chart hoursChart
}

type driftPart struct {
	section
	Rows []driftView
	// Cut says that there are more than mostDrift.
	Cut bool
}

// mostDrift is how many features are shown: the statement returns one more.
const mostDrift = 40

type driftView struct {
	driftRow
	PSI   *float64
	State state
	Bar   driftBar
}

type burnPart struct {
	section
	Pairs []burnPair
}

type budgetsPart struct {
	section
	Rows []budgetView
}

type noticesPart struct {
	section
	Rows []noticeRow
}

func (v modelView) sections() []section {
	return []section{v.Summary, v.Deploys.section, v.Hours.section, v.Drift.section, v.Burn.section, v.Budgets.section, v.Notices.section}
}

func (p *Page) model(ctx context.Context, model plumbline.Model, now time.Time) modelView {
	name := string(model)
	v := modelView{Now: now, GrafanaURL: p.cfg.dashboardOf(name), Name: name}
	v.Owner, v.Declared = p.cfg.ownerOf(name)

	traffic := read[trafficRow](ctx, p, &v.Summary, "traffic", at(now))
	quality := read[qualityRow](ctx, p, &v.Summary, "quality", at(now))
	incidents := read[incidentRow](ctx, p, &v.Summary, "incidents", at(now), forModel(name))
	burns := read[burnRow](ctx, p, &v.Burn.section, "burns", at(now), forModel(name))
	deploys := read[deployRow](ctx, p, &v.Deploys.section, "deploys", at(now), forModel(name))
	hours := read[hourRow](ctx, p, &v.Hours.section, "hours", at(now), forModel(name))
	drift := read[driftRow](ctx, p, &v.Drift.section, "drift", at(now), forModel(name))
	v.Notices.Rows = read[noticeRow](ctx, p, &v.Notices.section, "notices", at(now), forModel(name))
	budgets := read[budgetRow](ctx, p, &v.Budgets.section, "budgets", at(now), forModel(name))

	v.Row = p.modelRow(name, traffic, quality, burns, incidents)
	v.Budgets.Rows = p.cfg.budgets(name, budgets)
	v.Burn.Pairs = p.cfg.burnPairs(name, burns)
	v.Target = p.cfg.targetOf(name)
	v.Deploys.Rows = deployViews(deploys, v.Row.Partial)
	v.Drift.Rows, v.Drift.Cut = driftViews(drift[:min(len(drift), mostDrift)]), len(drift) > mostDrift
	v.Hours.Chart = newHoursChart(hours, deploys, v.Target, v.Row.Partial, now)
	answers := slices.ContainsFunc(traffic, func(t trafficRow) bool { return t.Model == name })
	v.Known = v.Declared || answers || len(deploys) > 0 || len(burns) > 0 || len(drift) > 0 || len(incidents) > 0
	v.State, v.Why = v.Row.judge(now)
	for _, s := range v.sections() {
		if s.Err != nil {
			v.State, v.Why = stateMissing, "a query failed"
		}
	}
	return v
}

// dashboardOf is the address of the on-call dashboard with the model chosen.
func (c Config) dashboardOf(model string) string {
	u, err := url.Parse(c.GrafanaURL)
	if err != nil || c.GrafanaURL == "" {
		return c.GrafanaURL // New has checked it
	}
	q := u.Query()
	q.Set("var-model", model)
	u.RawQuery = q.Encode()
	return u.String()
}

// targetOf returns the target that accuracy is shown against: of the model's
// first objective on it, or nil. What other objectives ask for is another share.
func (c Config) targetOf(model string) *float64 {
	i := slices.IndexFunc(c.Objectives, func(o plumbline.Objective) bool {
		return string(o.SLO.Model) == model && o.SLO.SLI.Is(plumbline.SLIQuality) && o.SLO.Segment == ""
	})
	if i < 0 {
		return nil
	}
	target := c.Objectives[i].SLO.Target
	return &target
}

// deployViews compares what labels say before and after each deploy; where those
// say nothing of the predictions without one, there is nothing to compare.
func deployViews(rows []deployRow, partial bool) []deployView {
	var views []deployView
	for i, r := range rows {
		d := deployView{deployRow: r, Current: i == 0}
		if !partial {
			d.Before, d.After = share(r.CorrectBefore, r.LabelledBefore), share(r.Correct, r.Labelled)
		}
		if d.Before != nil && d.After != nil {
			change := *d.After - *d.Before
			d.Change = &change
		}
		views = append(views, d)
	}
	return views
}

// Elsewhere is the stage of what is not served to people.
func (r driftRow) Elsewhere() string {
	if r.Stage == string(plumbline.StageProduction) {
		return ""
	}
	return r.Stage
}

func driftViews(rows []driftRow) []driftView {
	var views []driftView
	for _, r := range rows {
		views = append(views, driftView{driftRow: r, PSI: finite(r.Value), State: stateOfVerdict(r.Verdict)})
	}
	setDriftBars(views)
	return views
}
