package ask

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Asker answers questions. Make it with New; it is safe for concurrent use and
// keeps nothing.
type Asker struct {
	conn     Querier
	reads    Querier // as the user that may only read; nil without one
	declared map[plumbline.Model]Declaration
	slices   map[plumbline.Model]Slices
	sliced   bool // slices are all that are declared
	now      func() time.Time
}

// New returns an Asker over the tables behind the connection, with what is
// declared of models.
func New(conn Querier, declared map[plumbline.Model]Declaration) (*Asker, error) {
	if conn == nil {
		return nil, errors.New("ask: no database")
	}
	return &Asker{conn: conn, declared: declared, now: time.Now}, nil
}

// Reading returns an Asker like this one that runs the expressions of owners as a
// ClickHouse user that may only read. Without one they are not run.
func (a *Asker) Reading(as Querier) *Asker {
	out := *a
	out.reads = as
	return &out
}

const (
	// mostParts bounds what a question is answered for one by one.
	mostParts = 1000
	// mostRows bounds the labelled predictions that one question reads, with those
	// of the window before.
	mostRows = 20_000_000
)

// Ask answers a question. What cannot be said is a value with the reason, not an
// error.
func (a *Asker) Ask(ctx context.Context, q Question) (Answer, error) {
	answer, err := a.ask(ctx, q)
	if err != nil {
		return Answer{}, fmt.Errorf("quality of model %q: %w", q.Model, err)
	}
	return answer, nil
}

func (a *Asker) ask(ctx context.Context, q Question) (Answer, error) {
	q, err := q.settled()
	if err != nil {
		return Answer{}, err
	}
	d := a.declared[q.Model].with(q.Own)
	counted, err := a.counts(ctx, q, d)
	if err != nil {
		return Answer{}, err
	}
	rows, err := affordable(q, counted)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{Model: q.Model, Deploys: q.Deploys, Stage: q.Stage, Segment: q.Segment, From: q.From, To: q.To, AsOf: q.AsOf, By: q.By}
	if d.Task == "" {
		if err := a.guess(ctx, q, &d, &out); err != nil {
			return Answer{}, err
		}
	}
	ids, err := d.wanted(q)
	if err != nil {
		return Answer{}, err
	}
	out.Task, out.Positive = d.Task, d.Positive
	m := measured{values: map[string]map[metric.ID]Value{}, counted: counted}
	if err := a.measure(ctx, q, d, ids, rows, &m); err != nil {
		return Answer{}, err
	}
	if err := a.again(ctx, q, d, &m); err != nil {
		return Answer{}, err
	}
	m.into(&out, q, ids)
	if q.Fairness {
		if out.Fairness, err = a.fairness(ctx, q, d); err != nil {
			return Answer{}, err
		}
	}
	if q.Why != nil && !d.Partial {
		why, err := a.why(ctx, q, d, ids, &m)
		if err != nil {
			return Answer{}, err
		}
		out.Why = &why
	}
	if d.Partial {
		out.withhold(q)
	}
	return out, nil
}

// counted is what the rollups say of a part. They know the hour of a label: sure are
// those of hours that were over, labelled those of the hour of as-of, too.
type counted struct{ requests, labelled, correct, rows, sure int64 }

func (a *Asker) counts(ctx context.Context, q Question, d Declaration) (map[string]counted, error) {
	part, slice := q.rolled()
	all := map[string]counted{}
	err := a.each(ctx, "counts", q.statement(countsSQL, "/*part*/", part, "/*slice*/", slice, "/*series*/", string(q.series())), q.parameters(d), func(rows driver.Rows) error {
		var (
			name string
			c    counted
		)
		if err := rows.Scan(&name, &c.requests, &c.labelled, &c.correct, &c.rows, &c.sure); err != nil {
			return err
		}
		all[name] = c
		return nil
	})
	return all, err
}

// affordable returns how many labelled predictions the window has, or an error if
// a question may not read that many.
func affordable(q Question, parts map[string]counted) (int64, error) {
	var rows int64
	for _, c := range parts {
		rows += c.rows
	}
	if rows > mostRows {
		return 0, ParameterError{Name: "window", Err: fmt.Errorf("it has %d labelled predictions (in as many parts as they lie in), at most %d may be: write a shorter one", rows, mostRows)}
	}
	if len(parts) > mostParts {
		return 0, ParameterError{Name: "by", Err: fmt.Errorf("%q makes %d parts, at most %d may be: write a shorter window", q.By, len(parts), mostParts)}
	}
	return rows, nil
}

// wanted returns the metrics of a question.
func (d Declaration) wanted(q Question) ([]metric.ID, error) {
	ids := q.Metrics
	if len(ids) == 0 && q.Expression != "" {
		return nil, nil
	}
	if len(ids) == 0 {
		ids = d.Metrics
	}
	if len(ids) == 0 || slices.Equal(ids, []metric.ID{"all"}) {
		ids = d.metrics()
		for _, c := range d.Custom {
			ids = append(ids, metric.ID(c.Name))
		}
	}
	var out []metric.ID
	for _, id := range ids {
		if !d.has(id) {
			return nil, ParameterError{Name: "metric", Err: fmt.Errorf("%q is no metric of a %s model: write all or some of %v%s", id, d.Task, d.names(), d.hint())}
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// hint says how a model of several classes gets the metrics of a binary one.
func (d Declaration) hint() string {
	if d.Task != Multiclass {
		return ""
	}
	return "; of one class, asked for as positive or declared under models, quality, there are those of a binary model"
}

// measured collects values by part.
type measured struct {
	values  map[string]map[metric.ID]Value
	matrix  map[string][]Count
	counted map[string]counted
	exact   map[string]counted // what was counted from labelled predictions
	notes   []string
	// Of the classes of the window: what nothing is of though the question is about it.
	noPositive, noValued string
	unvalued             bool   // an outcome that came has no declared value
	otherKind            string // why predictions are not of the task's kind
}

// untold says why a mean of the window cannot be told of the classes that came;
// empty if it can.
func (m *measured) untold(id metric.ID) string {
	switch {
	case id == metric.Accuracy:
		return ""
	case id == metric.BusinessValue && !m.unvalued:
		return ""
	case id == metric.BusinessValue:
		return m.noValued
	}
	return m.noPositive
}

func (m *measured) add(part string, values ...Value) {
	if m.values[part] == nil {
		m.values[part] = map[metric.ID]Value{}
	}
	for _, v := range values {
		m.values[part][v.Metric] = v
	}
}

// measure computes every metric that is wanted.
func (a *Asker) measure(ctx context.Context, q Question, d Declaration, ids []metric.ID, rows int64, m *measured) error {
	var err error
	wants := func(all ...metric.ID) bool {
		return slices.ContainsFunc(ids, func(id metric.ID) bool { return slices.Contains(all, id) })
	}
	switch d.Task {
	case Regression:
		err = a.measureNumbers(ctx, q, d, q.Rollups, m)
	case Ranking:
		err = a.measureLists(ctx, q, d, m)
	default:
		err = a.measureClasses(ctx, q, d, q.Rollups, rows, m)
	}
	if err == nil && d.ClassScores != "" && wants(metric.TopK) {
		var best map[string]metric.Value
		best, err = a.best(ctx, q, d)
		for part, v := range best {
			m.add(part, described(v))
		}
	}
	if err == nil && d.Task == Multiclass && d.ClassScores != "" && wants(scoredIDs()...) {
		err = a.measureScored(ctx, q, d, m)
	}
	if err == nil && d.ClassScores != "" && q.Rollups && wants(append(scoredIDs(), metric.TopK)...) {
		err = a.expireScored(ctx, q, d, m)
	}
	for _, id := range ids {
		if c := d.custom(id); c != nil && err == nil {
			err = a.measureCustom(ctx, q, d, *c, m)
		}
	}
	if q.Expression != "" && err == nil {
		err = a.measureCustom(ctx, q, d, Custom{Name: string(expressionName), SQL: q.Expression}, m)
	}
	return err
}

// again reads the rollups of whole hours where too many labelled predictions have no
// row to compare, and says of what kind those that have one are.
func (a *Asker) again(ctx context.Context, q Question, d Declaration, m *measured) error {
	gone, labelled := m.lost()
	if d.Task == Ranking || !tooMany(gone, labelled) {
		return nil // of ranked lists there are no rollups
	}
	if !q.Rollups && q.inHours() {
		hours := m.clone()
		hours.notes = append(hours.notes, "rows of labelled predictions have expired: the metrics are from the hourly rollups")
		for part := range hours.values {
			hours.expire(part, append(scoredIDs(), metric.TopK)...)
		}
		read := func() error { return a.measureClasses(ctx, q, d, true, 0, &hours) }
		if d.Task == Regression {
			read = func() error { return a.measureNumbers(ctx, q, d, true, &hours) }
		}
		if err := read(); err != nil {
			return err
		}
		// Rollups hold what has expired, and no more than rows of what is of another kind.
		if left, _ := hours.lost(); left < gone && (tooMany(gone-left, labelled) || !tooMany(left, labelled)) {
			*m, gone = hours, left
		}
	}
	if !tooMany(gone, labelled) {
		return nil
	}
	k, err := a.kinds(ctx, q, d)
	m.otherKind = k.other(d.Task, labelled)
	return err
}

// lost returns how many labelled requests have no row to compare, and of how many, in
// as many parts as they lie in.
func (m *measured) lost() (gone, labelled int64) {
	for name, c := range m.counted {
		gone, labelled = gone+m.gone(name), labelled+c.sure
	}
	return gone, labelled
}

// clone returns a copy to measure into.
func (m *measured) clone() measured {
	out := *m
	out.notes, out.values = slices.Clone(m.notes), make(map[string]map[metric.ID]Value, len(m.values))
	for part, values := range m.values {
		out.values[part] = maps.Clone(values)
	}
	return out
}

func (a *Asker) measureClasses(ctx context.Context, q Question, d Declaration, hours bool, rows int64, m *measured) error {
	var (
		tallies map[string]*tally
		err     error
	)
	if hours {
		tallies, err = a.hourClasses(ctx, q, d)
	} else {
		tallies, err = a.classes(ctx, q, d, rows <= mostExact)
	}
	if err != nil {
		return err
	}
	m.matrix, m.exact = map[string][]Count{}, map[string]counted{}
	capped, seen := false, vocabularyOf(tallies)
	m.noPositive, m.noValued = seen.withoutPositive(d), seen.withoutValued(d)
	for part, t := range tallies {
		values, err := t.values(d, seen)
		if err != nil {
			return err
		}
		m.add(part, values...)
		m.matrix[part] = t.counts()
		m.exact[part] = counted{labelled: t.weights, correct: t.correct, rows: t.rows}
		capped, m.unvalued = capped || t.capped, m.unvalued || t.unvalued(d)
	}
	if capped {
		m.notes = append(m.notes, "the rollups name 20 classes of an hour; the others are one, "+overCap+", and what is counted under a name is a lower bound")
	}
	if rows > mostExact && d.Task == Binary {
		m.notes = append(m.notes, "scores were ranked by buckets of 0.4 %; bound is how far the areas may be from those of the scores themselves")
	}
	return nil
}

func (a *Asker) measureNumbers(ctx context.Context, q Question, d Declaration, hours bool, m *measured) error {
	read := a.numbers
	if hours {
		read = a.hourNumbers
	}
	all, err := read(ctx, q, d)
	m.exact = map[string]counted{}
	for part, e := range all {
		m.add(part, e.values()...)
		m.exact[part] = counted{labelled: e.weights, rows: e.rows}
	}
	return err
}

func (a *Asker) measureLists(ctx context.Context, q Question, d Declaration, m *measured) error {
	all, err := a.lists(ctx, q, d)
	bare := int64(0)
	m.exact = map[string]counted{}
	for part, l := range all {
		for _, v := range l.of.Values() {
			m.add(part, described(v))
		}
		m.exact[part] = l.results
		bare += l.of.Bare()
	}
	m.notes = append(m.notes, fmt.Sprintf("lists are of the labelled results alone; %d lists without a relevant one are in no metric; labels is the number of lists by their weights", bare))
	return err
}

// into puts the values into the answer, in order.
func (m *measured) into(out *Answer, q Question, ids []metric.ID) {
	if q.Expression != "" {
		ids = append(slices.Clone(ids), expressionName)
	}
	names := map[string]bool{}
	for name := range m.counted {
		names[name] = true
	}
	for name := range m.values {
		names[name] = true
	}
	if q.By == ByNothing {
		names[""] = true
	}
	hourly := q.AsOf.Equal(q.AsOf.Truncate(time.Hour))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := m.counted[name]
		if !hourly && m.exact != nil {
			c.labelled, c.rows = m.exact[name].labelled, m.exact[name].rows
		}
		part := Part{Name: name, Requests: c.requests, Labelled: c.labelled, Rows: c.rows, Matrix: m.matrix[name]}
		for _, id := range ids {
			part.Values = append(part.Values, m.value(name, id, hourly))
		}
		// Within an hour, a few are labels that were withdrawn since it began.
		if gone := m.gone(name); hourly && gone > 0 || tooMany(gone, c.sure) {
			m.notes = append(m.notes, fmt.Sprintf("of %d labelled requests %d have no row that holds an answer to compare with a label of its kind%s", c.sure, gone, within(name)))
		}
		out.Parts = append(out.Parts, part)
	}
	if slices.Contains(ids, metric.BusinessValue) && m.noValued != "" {
		m.notes = append(m.notes, m.noValued)
	}
	out.Notes = append(out.Notes, m.notes...)
	out.Notes = append(out.Notes, randomShare)
}

// randomShare is what an interval rests on.
const randomShare = "intervals are 95 % and take the labels that are in for a random share of all: late labels may not be"

// mostGone is the share of labelled predictions that may be without a row before
// nothing is said of the rest.
const mostGone = 0.05

// tooMany reports whether so many are gone that nothing is said of the rest.
func tooMany(gone, of int64) bool { return float64(gone) > mostGone*float64(of) }

// gone is how many labelled requests of the part have no row to compare, at least.
func (m *measured) gone(part string) int64 {
	if m.exact == nil {
		return 0
	}
	return max(m.counted[part].sure-m.exact[part].labelled, 0)
}

// value returns a metric of a part. Where raw rows have expired, the accuracy is
// that of the cells, which are kept longer and know whole hours, and nothing else is
// said.
func (m *measured) value(part string, id metric.ID, hourly bool) Value {
	v, ok := m.values[part][id]
	if !ok {
		v = described(missing(id, "no labels"))
	}
	c := m.counted[part]
	if !tooMany(m.gone(part), c.sure) {
		return v
	}
	if id == metric.Accuracy && hourly {
		return described(accuracyOf(c.correct, c.labelled, metric.ThinningOf(float64(c.labelled), float64(c.labelled)*float64(c.labelled)/float64(c.rows))))
	}
	if m.otherKind != "" {
		return v.unsaid(m.otherKind)
	}
	return v.expired()
}

// expired is a value without interval, for those rows that are left are not a fair
// share.
func (v Value) expired() Value { return v.unsaid(expiredRows) }

// expire takes the intervals of metrics that only rows can tell.
func (m *measured) expire(part string, ids ...metric.ID) {
	for _, id := range ids {
		v, ok := m.values[part][id]
		if !ok {
			v = described(missing(id, ""))
		}
		m.add(part, v.expired())
	}
}

// expiredRows is why nothing is said of what only rows can tell.
const expiredRows = "the rows of too many labelled predictions have expired or hold nothing to compare"

func within(part string) string {
	if part == "" {
		return ""
	}
	return fmt.Sprintf(" in %q", part)
}

func missing(id metric.ID, why string) metric.Value {
	return metric.Value{Metric: id, Value: math.NaN(), Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, State: metric.Missing, Why: why}
}

func share(n, of int64) float64 {
	if of <= 0 {
		return math.NaN()
	}
	return min(float64(n)/float64(of), 1)
}
