package alerting

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Status of an incident.
type Status string

// The statuses of an incident.
const (
	StatusFiring   Status = "firing"
	StatusResolved Status = "resolved"
)

// shownFeatures is how many features a page lists, shownCarriers how many parts
// of the traffic that carry the drift.
const (
	shownFeatures = 5
	shownCarriers = 4
)

// Text is everything a page says, before any channel has quoted or laid it out.
// Names and sentences in it were chosen by producers and rule authors: a
// channel shows them through Facts, Headline and Why with its own Quoter only.
type Text struct {
	// Incident is IncidentKey of Model, Deploy and SLO, or ServiceIncidentKey of
	// Name and Object.
	Incident string
	Status   Status
	// Severity is the highest level among the alerts.
	Severity string
	Model    plumbline.Model
	Deploy   plumbline.DeployHash
	SLO      plumbline.SLOName
	Owner    plumbline.Owner
	Team     string
	// Name is the name of the alerting rule.
	Name string
	// Object is what an alert about the service itself is about.
	Object      string
	Summary     string
	Description string
	// Since is the earliest start; Until is zero while it fires. At is when the
	// text was written.
	Since, Until, At time.Time
	// Burns are the firing conditions, worst first.
	Burns []Burn
	// Counts are of how many events the bad shares of the worst condition's
	// windows are, where that is known.
	Counts []WindowCount
	// Period is the error budget's window, as the rule wrote it.
	Period string
	// Ending is why it is over; empty while it lasts.
	Ending Ending
	// BudgetLeft is the share of the period's budget that is left, below 0 if it
	// is overspent.
	BudgetLeft Known
	// Acked says who took the incident; nil while nobody has, and once it is
	// over.
	Acked *Ack
	// Unknown says why nothing is known of the SLO; empty where something is, or nobody
	// knows why.
	Unknown string
	// Coverage is the share of labels that are in, in words, or empty.
	Coverage string
	Quality  *QualityChange
	Features []FeatureShift
	// NoDrift says why nothing is known of drift; empty where it was measured.
	NoDrift  string
	Carriers []string
	Info     DeployInfo
	// Missing says why there is no explanation; empty if there is one.
	Missing string
	SQL     string
	Links   []Link
}

// Burn is one firing condition in the numbers of its rule. A number that the
// rule did not give, or that is not one, is zero and not Known.
type Burn struct {
	Severity string
	// Windows as the rule wrote them, for example "6h/30m".
	Windows string
	// Rate is how many times faster than the target allows the budget burns.
	Rate Known
	// Value is the bad share, between 0 and 1, that was compared with Threshold.
	// Long and Short are the bad shares of the two windows, Target is a good share.
	Value, Long, Short, Threshold, Target Known
	// AtLeast says that Value is the lower end of an interval and not the share
	// itself, and Rate the rate at it.
	AtLeast bool
	// Low and High are the ends of the interval of Long.
	Low, High Known
}

// Ending is why nothing of an incident fires any more.
type Ending string

// The endings. An end of which the rules told, and no more, is the empty one: the model
// is back within its SLO.
const (
	// EndingKnown is that of an SLO of which nothing was known, and something is.
	EndingKnown Ending = "known"
	// EndingUnsaid is that of alerts which nobody has sent for too long: their rule is
	// gone, or is not evaluated. Whether the model is well, nobody knows.
	EndingUnsaid Ending = "unsaid"
	// EndingElsewhere is that of one owner's part in an incident which goes on.
	EndingElsewhere Ending = "elsewhere"
)

// Ack says that somebody looks after an incident.
type Ack struct {
	// By is a person's name as a channel or the API gave it.
	By string
	At time.Time
}

func (a Ack) equal(o Ack) bool { return a.By == o.By && a.At.Equal(o.At) }

// Known is a finite number that may be missing.
type Known struct {
	V  float64
	OK bool
}

// Link is a place to look next.
type Link struct{ Name, URL string }

// Rate returns the fastest known burn rate.
func (t Text) Rate() (float64, bool) {
	best, ok := 0.0, false
	for _, b := range t.Burns {
		if b.Rate.OK && (!ok || b.Rate.V > best) {
			best, ok = b.Rate.V, true
		}
	}
	return best, ok
}

// Service reports whether the text is about the service itself and no model.
func (t Text) Service() bool { return t.Model == "" }

// Pages reports whether the incident is one to wake somebody for now.
func (t Text) Pages() bool { return t.Status == StatusFiring && t.Severity == plumbline.SeverityPage }

// SameConditions reports whether both texts tell of the same level and the same
// firing conditions, whatever their numbers are now, and of the same person who
// looks after it.
func (t Text) SameConditions(o Text) bool {
	acked := t.Acked == nil && o.Acked == nil || t.Acked != nil && o.Acked != nil && t.Acked.By == o.Acked.By
	return acked && t.Level() == o.Level() && slices.EqualFunc(t.Burns, o.Burns, func(a, b Burn) bool {
		return a.Severity == b.Severity && a.Windows == b.Windows
	})
}

// Conditions names what SameConditions compares: two texts with the same
// conditions have the same 64 hexadecimal digits.
func (t Text) Conditions() string {
	parts := []string{t.Level()}
	if t.Acked != nil {
		parts = append(parts, "taken", t.Acked.By)
	}
	for _, b := range t.Burns {
		parts = append(parts, b.Severity, b.Windows)
	}
	return keyOf(parts...)
}

// NewText writes the text of the alerts of one incident. An explainErr is told
// in the text and the explanation ignored. It panics on no alerts.
func NewText(alerts []Alert, owner plumbline.OwnerEntry, ex Explanation, explainErr error, now time.Time) Text {
	firing, resolved := split(alerts, now)
	told := firing
	if len(firing) == 0 {
		told = resolved
	}
	lead := told[0]
	t := Text{
		Incident: lead.incident(), Status: StatusFiring, Severity: lead.Label(plumbline.LabelSeverity),
		Model: plumbline.Model(lead.Label(plumbline.LabelModel)), Deploy: plumbline.DeployHash(lead.Label(plumbline.LabelDeploy)),
		SLO: plumbline.SLOName(lead.Label(plumbline.LabelSLO)), Name: lead.Label(plumbline.LabelAlert), Object: lead.Label(plumbline.LabelObject),
		Owner: owner.Name, Team: owner.Team,
		Summary: lead.Annotations[plumbline.AnnotationSummary], Description: lead.Annotations[plumbline.AnnotationDescription],
		Since: lead.StartsAt, At: now,
		Period: lead.Annotations[plumbline.AnnotationPeriod],
	}
	t.BudgetLeft.V, t.BudgetLeft.OK = parseNumber(lead.Annotations[plumbline.AnnotationBudgetLeft])
	if t.Owner == "" {
		t.Owner = plumbline.Owner(lead.Label(plumbline.LabelOwner))
	}
	for _, a := range alerts {
		if a.StartsAt.Before(t.Since) {
			t.Since = a.StartsAt
		}
	}
	for _, a := range told {
		t.Burns = append(t.Burns, newBurn(a))
	}
	if len(firing) == 0 {
		t.Status = StatusResolved
		for _, a := range resolved {
			if a.EndsAt.After(t.Until) {
				t.Until = a.EndsAt
			}
		}
		if !slices.ContainsFunc(resolved, func(a Alert) bool { return a.Label(plumbline.LabelAlert) != plumbline.AlertSLOMissing }) {
			t.Ending = EndingKnown
		}
	}
	t.explainedBy(lead, ex, explainErr)
	return t
}

func (t *Text) explainedBy(lead Alert, ex Explanation, err error) {
	if err != nil {
		t.Missing, ex = err.Error(), Explanation{}
	}
	t.Features, t.NoDrift, t.Carriers, t.Info = ex.Features, ex.NoDrift, ex.Carriers, ex.Deploy
	if q := ex.Quality; q != nil && finite(q.Before) && finite(q.After) {
		t.Quality = q
	}
	t.Features = slices.DeleteFunc(slices.Clone(t.Features), func(f FeatureShift) bool { return !finite(f.PSI) || !finite(f.Share) })
	if v, ok := parseNumber(lead.Annotations[plumbline.AnnotationCoverage]); ok {
		t.Coverage = percent(v)
	} else if ex.Coverage != nil && finite(*ex.Coverage) {
		t.Coverage = percent(*ex.Coverage)
	}
	if t.Status == StatusFiring && t.Name == plumbline.AlertSLOMissing {
		t.Unknown = ex.Unknown
	}
	t.fromWindows(ex.Windows)
	t.SQL = cmp.Or(lead.Annotations[plumbline.AnnotationSQL], ex.SQL)
	t.link("Runbook", lead.Annotations[plumbline.AnnotationRunbook])
	t.link("Dashboard", t.inTime(lead.Annotations[plumbline.AnnotationDashboard]), t.inTime(ex.DashboardURL))
	t.link("Page", lead.Annotations[plumbline.AnnotationPage], ex.PageURL)
}

// link adds the first URL that may be shown.
func (t *Text) link(name string, urls ...string) {
	for _, raw := range urls {
		if u := safeURL(raw); u != "" {
			t.Links = append(t.Links, Link{Name: name, URL: u})
			return
		}
	}
}

// Link returns the URL of the link with the name, or the empty string.
func (t Text) Link(name string) string {
	for _, l := range t.Links {
		if l.Name == name {
			return l.URL
		}
	}
	return ""
}

func newBurn(a Alert) Burn {
	known := func(name string) Known {
		v, ok := parseNumber(a.Annotations[name])
		return Known{V: v, OK: ok}
	}
	b := Burn{
		Severity: a.Label(plumbline.LabelSeverity),
		Windows:  a.Annotations[plumbline.AnnotationWindows],
		Rate:     known(plumbline.AnnotationBurnRate), Value: known(plumbline.AnnotationValue),
		Long: known(plumbline.AnnotationLongValue), Short: known(plumbline.AnnotationShortValue),
		Threshold: known(plumbline.AnnotationThreshold), Target: known(plumbline.AnnotationTarget), High: known(plumbline.AnnotationHighValue),
	}
	// Events as they come are compared by the share itself, labels by a lower end.
	if b.AtLeast = b.Value.OK && a.Annotations[plumbline.AnnotationLongValue] != "" && (!b.Long.OK || b.Value.V < b.Long.V); b.AtLeast {
		b.Low = b.Value
	}
	return b
}

// split parts the alerts into firing and resolved, each worst first.
func split(alerts []Alert, now time.Time) (firing, resolved []Alert) {
	for _, a := range alerts {
		if a.resolvedAt(now) {
			resolved = append(resolved, a)
		} else {
			firing = append(firing, a)
		}
	}
	slices.SortStableFunc(firing, worstFirst)
	slices.SortStableFunc(resolved, worstFirst)
	return firing, resolved
}

// worstFirst orders pages before tickets, fast burns before slow ones, and then
// by name, so that equal input gives equal text.
func worstFirst(a, b Alert) int {
	page := func(x Alert) int {
		if x.Label(plumbline.LabelSeverity) == plumbline.SeverityPage {
			return 0
		}
		return 1
	}
	burnA, _ := parseNumber(a.Annotations[plumbline.AnnotationBurnRate])
	burnB, _ := parseNumber(b.Annotations[plumbline.AnnotationBurnRate])
	return cmp.Or(cmp.Compare(page(a), page(b)), cmp.Compare(burnB, burnA),
		strings.Compare(a.Label(plumbline.LabelAlert), b.Label(plumbline.LabelAlert)), a.StartsAt.Compare(b.StartsAt))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
