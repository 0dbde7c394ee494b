package ask

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Params is a question as text, by the names of the flags and of the HTTP
// parameters.
type Params struct {
	// Model is required.
	Model string
	// Window is a length such as 24h or 7d. Default 24h.
	Window string
	// To is the end of the window. Default now, and rollups are by hour: the one
	// under way counts in full.
	To string
	// References default to the training set.
	References []string
	Segment    string
	Stage      string
	Deploys    []string
	// Measures are names of measure.Table, in lists separated by commas or one
	// by one.
	Measures []string
	// Features and Series choose what is compared; a series is score,
	// predicted_value, predicted or feature:NAME.
	Features, Series []string
	// Why takes apart what is in breach.
	Why bool
}

// ParameterError is a parameter that cannot be used, and why.
type ParameterError = serve.ParameterError

// Question reads the text. now is the end of the window where none is given. The
// error joins a ParameterError for every mistake.
func (p Params) Question(now time.Time) (Question, error) {
	var errs []error
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, ParameterError{Name: name, Err: err})
		}
	}
	q := Question{Model: plumbline.Model(p.Model), Segment: plumbline.Segment(p.Segment), To: now, Stage: plumbline.StageProduction, Why: p.Why}
	if p.Model == "" {
		check("model", errors.New("say which model"))
	}
	window := day
	if p.Window != "" {
		var err error
		window, err = ParseLength(p.Window)
		check("window", err)
	}
	if p.To != "" {
		var err error
		q.To, err = ParseTime(p.To)
		check("to", err)
	}
	q.From = q.To.Add(-window)
	if from, to := wholeHours(q.From, q.To); to.Sub(from) > maxLength {
		// Only the longest windows that end within an hour, as now does.
		check("window", fmt.Errorf("%q until %s is %d hours, with the hours it begins and ends in: at most 400d; write a shorter one, or an end at a full hour (to)", p.Window, spell(q.To), int(to.Sub(from)/time.Hour)))
	}
	if key, value, ok := strings.Cut(p.Segment, "="); p.Segment != "" && (!ok || key == "" || value == "") {
		check("segment", fmt.Errorf("%q is no segment: write key=value", p.Segment))
	}
	if p.Stage != "" {
		if q.Stage = plumbline.Stage(p.Stage); !q.Stage.Valid() {
			check("stage", fmt.Errorf("%q is no stage: write one of %v", p.Stage, plumbline.Stages()))
		}
	}
	for _, d := range p.Deploys {
		q.Deploys = append(q.Deploys, plumbline.DeployHash(d))
	}
	q.References = p.references(check)
	q.Measures = p.measures(check)
	q.Series = p.series(check)
	return q, errors.Join(errs...)
}

func (p Params) references(check func(string, error)) []Reference {
	texts := p.References
	if len(texts) == 0 {
		texts = []string{string(Training)}
	}
	if len(texts) > maxReferences {
		check("reference", fmt.Errorf("%d references: name at most %d", len(texts), maxReferences))
	}
	var all []Reference
	for _, text := range texts {
		r, err := ParseReference(text)
		check("reference", err)
		all = append(all, r)
	}
	return all
}

func (p Params) measures(check func(string, error)) []measure.ID {
	var all []measure.ID
	for _, list := range p.Measures {
		for name := range strings.SplitSeq(list, ",") {
			id := measure.ID(strings.TrimSpace(name))
			if id == "all" {
				for _, d := range measure.Table() {
					all = append(all, d.ID)
				}
				continue
			}
			if _, ok := measure.Lookup(id); !ok {
				check("measure", fmt.Errorf("%q is no measure: write all or some of %s", id, measureNames()))
			}
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func measureNames() string {
	var names []string
	for _, d := range measure.Table() {
		names = append(names, string(d.ID))
	}
	return strings.Join(names, ", ")
}

func (p Params) series(check func(string, error)) []plumbline.Series {
	var all []plumbline.Series
	for _, f := range p.Features {
		if f == "" {
			check("feature", errors.New("is empty: name a feature, or leave the parameter out for all"))
		}
		all = append(all, plumbline.Feature(f).Series())
	}
	outputs := []plumbline.Series{plumbline.SeriesScore, plumbline.SeriesValue, plumbline.SeriesClass}
	for _, text := range p.Series {
		s := plumbline.Series(text)
		if _, feature := s.Feature(); !feature && !slices.Contains(outputs, s) {
			check("series", fmt.Errorf("%q is no series: write score, predicted_value, predicted or feature:NAME", text))
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
