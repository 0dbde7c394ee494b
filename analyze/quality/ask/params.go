package ask

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	drift "github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Params is a question as text, by the names of the flags and of the HTTP
// parameters.
type Params struct {
	// Model is required.
	Model string
	// Window is a length such as 24h or 7d, before To. Default 24h; From may
	// stand in its place.
	Window, From string
	// To is the end of the window. Default now.
	To string
	// AsOf is when labels had to be known by. Default now.
	AsOf    string
	Deploys []string
	Segment string
	Stage   string
	// Metrics are names of metric.Table or of custom metrics, in lists separated
	// by commas or one by one; all is every one of the task.
	Metrics []string
	By      string
	// Task and Positive override the declaration.
	Task, Positive string
	// Expr is an SQL expression, see ParseExpression.
	Expr     string
	Fairness bool
	Why      bool
	// Against is what why compares with: FROM..TO, or deploy:HASH, another deploy
	// in the same window. Default: the same length just before.
	Against  string
	Features []string
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
	q := Question{
		Model: plumbline.Model(p.Model), Segment: plumbline.Segment(p.Segment), Stage: plumbline.Stage(p.Stage),
		By: Grouping(p.By), Own: Declaration{Task: Task(p.Task), Positive: p.Positive}, Expression: p.Expr, Fairness: p.Fairness,
	}
	if p.Task != "" && !slices.Contains(Tasks(), q.Own.Task) {
		check("task", fmt.Errorf("%q is no task: write one of %v", p.Task, Tasks()))
	}
	q.From, q.To = p.window(now, check)
	if len(errs) == 0 && q.From.After(now) && q.From.Before(q.To) {
		check("from", fmt.Errorf("%s to %s: is in the future, where nothing has been predicted yet; it is %s", spell(q.From), spell(q.To), spell(now)))
	}
	if p.AsOf != "" {
		var err error
		q.AsOf, err = drift.ParseTime(p.AsOf)
		check("as-of", err)
	}
	for _, d := range p.Deploys {
		q.Deploys = append(q.Deploys, plumbline.DeployHash(d))
	}
	for _, list := range p.Metrics {
		for name := range strings.SplitSeq(list, ",") {
			q.Metrics = append(q.Metrics, metric.ID(strings.TrimSpace(name)))
		}
	}
	if p.Why {
		since, err := p.since(q)
		check("against", err)
		q.Why = &since
	} else if p.Against != "" || len(p.Features) > 0 {
		check("against", errors.New("against and feature belong to why: ask for that too"))
	}
	if len(errs) > 0 {
		if p.Model == "" {
			check("model", errors.New("say which model"))
		}
		return q, errors.Join(errs...)
	}
	return q.settled()
}

func (p Params) window(now time.Time, check func(string, error)) (from, to time.Time) {
	to = now
	if p.To != "" {
		var err error
		to, err = drift.ParseTime(p.To)
		check("to", err)
	}
	if p.From != "" {
		from, err := drift.ParseTime(p.From)
		check("from", err)
		if p.Window != "" {
			check("window", errors.New("stands beside from; write one of them"))
		}
		return from, to
	}
	window := day
	if p.Window != "" {
		var err error
		window, err = drift.ParseLength(p.Window)
		check("window", err)
	}
	return to.Add(-window), to
}

func (p Params) since(q Question) (Since, error) {
	s := Since{}
	for _, f := range p.Features {
		s.Features = append(s.Features, plumbline.Feature(f))
	}
	if hash, ok := strings.CutPrefix(p.Against, "deploy:"); ok {
		s.Deploys = []plumbline.DeployHash{plumbline.DeployHash(hash)}
		s.From, s.To = q.From, q.To
		return s, nil
	}
	if p.Against == "" {
		return s, nil
	}
	from, to, ok := strings.Cut(p.Against, "..")
	if !ok {
		return s, fmt.Errorf("%q: write FROM..TO, or deploy:HASH for another deploy in the same window", p.Against)
	}
	var errs [2]error
	s.From, errs[0] = drift.ParseTime(from)
	s.To, errs[1] = drift.ParseTime(to)
	return s, errors.Join(errs[:]...)
}
