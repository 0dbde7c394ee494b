package plumbline

import (
	"strconv"
	"strings"
	"time"
)

// SLO is one service level objective in the domain's words; rules parses it
// from an OpenSLO file.
type SLO struct {
	Name  SLOName
	Model Model
	Owner Owner
	// Measure is what makes an event good. Of an SLO on quality it is
	// MeasureAccuracy: a labelled prediction is good if it was correct. Of other
	// kinds it repeats SLI.Measure.
	Measure string
	// Target is the share of events that shall be good, between 0 and 1.
	Target float64
	// Period is the rolling window of the error budget.
	Period time.Duration
	// MinCoverage is the least share of a window's predictions that must have
	// a label before the window may speak, between 0 and 1.
	MinCoverage float64
	Runbook     string
	// Service groups SLOs; OpenSLO asks for it.
	Service string
	// Description says in one or two sentences what the users of the model get.
	Description string

	// SLI says what is counted; its zero value is the quality of the model.
	SLI SLI
	// Deploy and Segment restrict the objective; empty is each deploy, and all
	// traffic.
	Deploy  DeployHash
	Segment Segment
	// Budgeting is how the counts become a budget; empty is Occurrences.
	Budgeting Budgeting
	// SliceWindow and SliceTarget belong to the budgeting by slices of time.
	SliceWindow time.Duration
	SliceTarget float64
	// Calendar aligns the budget; nil is a rolling one.
	Calendar *Calendar
	// Parts are what a composite weighs.
	Parts []Part
	// Conditions are burn rates that the file asks for by itself.
	Conditions []BurnCondition
	// PartOf names the composite that the objective is only a part of: it has no
	// alerts of its own.
	PartOf SLOName
	// Inert says why nothing evaluates an objective that is correct OpenSLO; a
	// service refuses it.
	Inert string
	// Where is the file and line that declare it, as file:line; empty is no file.
	Where string
	// Shadow evaluates the objective and never pages.
	Shadow bool
	// Overdispersion is how many times the variance of bad counts exceeds that of
	// independent events, at least 1; 0 is the default of the evaluation.
	Overdispersion float64
}

// WindowPair is one burn-rate condition: the bad share of both windows beyond
// Factor x (1 - target).
type WindowPair struct {
	Severity string
	Long     time.Duration
	Short    time.Duration
	// BudgetShare is the part of the error budget that is gone when the
	// condition has held for the whole long window.
	BudgetShare float64
	// Factor is BudgetShare x period / Long.
	Factor float64
	// For is how long the condition must hold; 0 for the workbook's pairs, whose
	// windows are the delay already.
	For time.Duration
	// Noise is the greatest chance, a minute, that noise at exactly the target
	// starts what the pair would alert on; 0 asks for no such evidence. It is
	// looked for in the first of Evidence not shorter than Long in which a total
	// outage would give it, where that is Long in the shorter ones too, and where
	// twice Factor would not give it there in a longer one. For labels it is looked
	// for as if all that are missing said good.
	Noise    float64
	Evidence []time.Duration
}

// Threshold returns the bad share beyond which the pair fires for a target.
func (p WindowPair) Threshold(target float64) float64 { return p.Factor * (1 - target) }

// WindowName spells the length of a window as recording-rule names and the
// column findings.window do: "10m", "2h", "3d". A length that is not a whole
// number of minutes is spelled in seconds.
func WindowName(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d > 0 && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d > 0 && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d > 0 && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// PeriodName spells the period of an SLO's budget: "30d", or of calendar months
// their number and M, since no length of time is theirs.
func (s SLO) PeriodName() string {
	if s.Calendar != nil && s.Calendar.Months > 0 {
		return strconv.Itoa(s.Calendar.Months) + "M"
	}
	return WindowName(s.Period)
}

// PeriodMonths reads the calendar months of a PeriodName; it is false of any other.
func PeriodMonths(name string) (int, bool) {
	digits, months := strings.CutSuffix(name, "M")
	n, err := strconv.ParseUint(digits, 10, 8)
	return int(n), months && err == nil && n > 0
}

// PeriodWords says a PeriodName to people.
func PeriodWords(name string) string {
	switch n, months := PeriodMonths(name); {
	case !months:
		return name
	case n == 1:
		return "a calendar month"
	default:
		return strconv.Itoa(n) + " calendar months"
	}
}

// Objective is an SLO with the window pairs that alert on it.
type Objective struct {
	SLO   SLO
	Pairs []WindowPair
}

// Longest returns the longest window of the pairs, 0 without any.
func (o Objective) Longest() time.Duration {
	var longest time.Duration
	for _, p := range o.Pairs {
		longest = max(longest, p.Long, p.Short)
	}
	return longest
}

// OwnerEntry is one entry of the owner registry; the alert routes are generated
// from it.
type OwnerEntry struct {
	Name Owner  `yaml:"name"`
	Team string `yaml:"team"`
	// SlackChannel receives the incident's message, for example "#ml-oncall".
	SlackChannel string `yaml:"slack_channel"`
	// PagerDutyKeyFile holds the Events v2 routing key.
	PagerDutyKeyFile string `yaml:"pagerduty_key_file"`
	// WebhookURL receives the incident in Alertmanager's format, signed with the
	// secret that WebhookSecretFile holds.
	WebhookURL        string `yaml:"webhook_url"`
	WebhookSecretFile string `yaml:"webhook_secret_file"`
	// Email receives it as a mail: addresses with commas between them.
	Email string `yaml:"email"`
	// BusinessHours names a time interval outside of which tickets wait; empty
	// tells them at any time. Pages never wait.
	BusinessHours string `yaml:"business_hours"`
	// Escalation tells another owner of a page that nobody acknowledges.
	Escalation *Escalation `yaml:"escalation"`
	// Models are the models the owner answers for.
	Models []Model `yaml:"models"`
}

// Escalation says who is told of a page that nobody acknowledges, and when.
type Escalation struct {
	// After is counted from the moment the incident became a page.
	After time.Duration `yaml:"after"`
	To    Owner         `yaml:"to"`
}
