package ask

import (
	"errors"
	"fmt"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Grouping says what a question is answered for one by one.
type Grouping string

// The groupings. BySegment is each declared segment; BySegment + ":NAME" those of
// one name.
const (
	ByNothing Grouping = ""
	ByDeploy  Grouping = "deploy"
	ByHour    Grouping = "hour"
	BySegment Grouping = "segment"
)

// segment returns the name in "segment:NAME".
func (g Grouping) segment() (name string, ok bool) {
	if g == BySegment {
		return "", true
	}
	return strings.CutPrefix(string(g), string(BySegment)+":")
}

// Question is what is asked.
type Question struct {
	Model plumbline.Model
	// Deploys are the deploys in question; none means all traffic.
	Deploys []plumbline.DeployHash
	// Stage is production if empty; training has no labels of its own.
	Stage plumbline.Stage
	// Segment is a declared slice, key=value.
	Segment plumbline.Segment
	// From and To bound the predictions in event time, To exclusive, in whole
	// minutes: From is taken back to the start of its minute, To forward to the
	// end of its.
	From, To time.Time
	// AsOf is the instant before which a label must have become known; zero means
	// now.
	AsOf time.Time
	// Metrics are those of the declaration if empty.
	Metrics []metric.ID
	By      Grouping
	// Rollups asks the table outcome_hours for all that it has; only custom metrics,
	// top-k and ranked lists are read row by row. From is taken back to the start of
	// its hour, To forward to the end of its.
	Rollups bool
	// Own overrides what is declared of the model.
	Own Declaration
	// Expression is a metric of the question's own; empty is none.
	Expression string
	// Fairness compares the protected segments.
	Fairness bool
	// Why takes the change since a window before apart.
	Why *Since
}

// Since is what a drop is measured from.
type Since struct {
	// From and To bound the window before; both zero is the same length just
	// before the question's.
	From, To time.Time
	// Deploys are those of the window before, none all.
	Deploys []plumbline.DeployHash
	// Features to take apart; none means as many as there are, up to 50.
	Features []plumbline.Feature
}

const (
	day = 24 * time.Hour
	// longest bounds a window, longestHours one that is asked by the hour.
	longest      = 400 * day
	longestHours = 31 * day
)

// settled returns the question with the window in whole minutes, or every
// mistake in it.
func (q Question) settled() (Question, error) {
	var errs []error
	bad := func(name, format string, args ...any) {
		errs = append(errs, ParameterError{Name: name, Err: fmt.Errorf(format, args...)})
	}
	if q.Model == "" {
		bad("model", "say which model")
	}
	if q.Stage == "" {
		q.Stage = plumbline.StageProduction
	}
	if !q.Stage.Valid() || q.Stage == plumbline.StageTraining {
		bad("stage", "%q has no labels: write production, canary or shadow", q.Stage)
	}
	q.From, q.To = wholeMinutes(q.From, q.To)
	if q.Rollups {
		q.From, q.To = q.From.Truncate(time.Hour), q.To.Add(time.Hour-time.Minute).Truncate(time.Hour)
	}
	if length := q.To.Sub(q.From); length <= 0 {
		bad("from", "%s is not before the end, %s", spell(q.From), spell(q.To))
	} else if length > longest {
		bad("window", "%s to %s: must be 1m to 400d", spell(q.From), spell(q.To))
	} else if q.By == ByHour && length > longestHours {
		bad("window", "%s to %s by the hour: at most 31d", spell(q.From), spell(q.To))
	}
	if key, value, ok := strings.Cut(string(q.Segment), "="); q.Segment != "" && (!ok || key == "" || value == "") {
		bad("segment", "%q is no segment: write key=value", q.Segment)
	}
	name, bySegment := q.By.segment()
	switch {
	case bySegment && strings.ContainsAny(name, "=,"):
		bad("by", "%q: write segment, or segment:NAME with the name of one", q.By)
	case bySegment && q.Segment != "":
		bad("by", "segments are marginal: no segment within a segment; declare a joint one and ask for that")
	case !bySegment && q.By != ByNothing && q.By != ByDeploy && q.By != ByHour:
		bad("by", "%q: write deploy, hour, segment or segment:NAME", q.By)
	}
	if q.Expression != "" {
		if _, err := ParseExpression(q.Expression); err != nil {
			bad("expr", "%w", err)
		}
	}
	if q.Why != nil {
		since, err := q.Why.settled(q)
		if err != nil {
			errs = append(errs, err)
		}
		q.Why = &since
	}
	return q, errors.Join(errs...)
}

// settled fills in the window before.
func (s Since) settled(q Question) (Since, error) {
	if s.From.IsZero() && s.To.IsZero() {
		s.From, s.To = q.From.Add(q.From.Sub(q.To)), q.From
	}
	s.From, s.To = wholeMinutes(s.From, s.To)
	if length := s.To.Sub(s.From); length <= 0 || length > longest {
		return s, ParameterError{Name: "against", Err: fmt.Errorf("%s to %s: must be 1m to 400d", spell(s.From), spell(s.To))}
	}
	return s, nil
}

func wholeMinutes(from, to time.Time) (time.Time, time.Time) {
	end := to.UTC().Truncate(time.Minute)
	if end.Before(to) {
		end = end.Add(time.Minute)
	}
	return from.UTC().Truncate(time.Minute), end
}

func spell(t time.Time) string { return t.UTC().Format(time.RFC3339) }
