package analyze

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed" // the statements
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage"
)

//go:embed sql/driftdays.sql
var driftDaysSQL string

//go:embed sql/driftstreams.sql
var driftStreamsSQL string

// inserter stores records; storage.DB is one.
type inserter interface {
	Insert(ctx context.Context, table plumbline.TableName, token string, rec arrow.Record) error
}

// learnt is the status of a day that was taken as quiet.
const learnt alarm.Status = "learnt"

// known is what is known of one stream; it is stored as JSON.
type known struct {
	// Detector is the state of its detector, Learnt how many of its first days
	// were taken as quiet, Freedom that of its last block.
	Detector alarm.State `json:"detector"`
	Learnt   int         `json:"learnt"`
	Freedom  float64     `json:"freedom"`
}

// watched is one stream after its last day.
type watched struct {
	known
	// quiet are the distances of its quiet days within the history.
	quiet []quietDay
	// end, events, value, nullMean and verdict are those of the last day.
	end             time.Time
	events          uint64
	value, nullMean float64
	verdict         alarm.Verdict
}

// quietDay is the distance of a quiet day.
type quietDay struct {
	end             time.Time
	value, nullMean float64
}

// step takes the next day of a stream. A ticket that was open for longer than
// the history is closed: what it says has become the usual, and is learnt anew.
func (w watched) step(c AlarmConfig, cfg alarm.Config, b alarm.Block) (watched, error) {
	learning := "the first days of a stream are learnt from"
	if w.Detector.Open && b.End.Sub(w.Detector.Since) > c.History {
		learning = fmt.Sprintf("the ticket that was open since the day that ended %s is closed after %d days: what it said has become the usual, which is learnt anew",
			w.Detector.Since.Format(time.DateOnly), c.History/day)
		w = watched{}
	}
	detector, err := alarm.Resume(cfg, w.Detector)
	if err != nil {
		return w, err
	}
	next := watched{known: known{Learnt: w.Learnt, Freedom: b.Freedom}, end: b.End, events: b.Events, value: b.Result.Value, nullMean: b.Result.NullMean}
	if w.Learnt < int(c.Learn/day) {
		detector.Prime(b)
		next.Learnt++
		next.verdict = alarm.Verdict{Status: learnt, P: math.NaN(), Threshold: cfg.Threshold(), Assumption: learning}
	} else {
		next.verdict = detector.Step(b)
	}
	next.Detector = detector.State()
	next.remember(w.quiet, b.End.Add(-c.History))
	return next, nil
}

// remember takes over the quiet days since then and adds the last day if it is
// one.
func (w *watched) remember(quiet []quietDay, since time.Time) {
	w.quiet = nil
	for _, q := range quiet {
		if q.end.After(since) {
			w.quiet = append(w.quiet, q)
		}
	}
	if w.verdict.Status == alarm.Quiet || w.verdict.Status == learnt {
		w.quiet = append(w.quiet, quietDay{w.end, w.value, w.nullMean})
	}
}

// distances are those of the quiet days.
func (w watched) distances(id measure.ID) []measure.Result {
	all := make([]measure.Result, len(w.quiet))
	for i, q := range w.quiet {
		all[i] = measure.Result{Measure: id, Value: q.value, NullMean: q.nullMean}
	}
	return all
}

// settings is a hash of what days rest on: days of other settings are computed
// anew.
func (a *alarms) settings(model plumbline.Model) string {
	text := fmt.Sprintf("1 %q %q %v %v %v %d %q", a.cfg.References, a.drift.measures, a.cfg.Measures, a.cfg.MinEffect, a.cfg.Alarm, a.cfg.Segments, a.cfg.Clusters[model])
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:8])
}

// lookedAt is one day that is stored.
type lookedAt struct {
	end                time.Time
	version            uint64
	requests, training uint64
}

// resume goes on from what is stored of the days up to the one that is to be
// looked at next, as far back as the history reaches; where nothing is, from the
// start.
func (a *alarms) resume(ctx context.Context, model plumbline.Model, d *days, start time.Time) error {
	chain, err := a.chain(ctx, model, d.until.Add(-a.cfg.Alarm.History), d.until)
	if err != nil {
		return fmt.Errorf("drift alarm: read days of model %q: %w", model, err)
	}
	d.startOver()
	d.next = start
	for _, l := range chain {
		d.next, d.version = l.end, l.version
		if l.requests > 0 {
			d.requests[l.end], d.last = l.requests, l.end
		}
	}
	if len(chain) == 0 {
		return nil
	}
	if slices.Contains(a.cfg.References, plumbline.ReferenceTraining) {
		d.requests[time.Time{}] = chain[0].training
	}
	if err := a.streams(ctx, model, d, chain); err != nil {
		d.resumed = false
		return fmt.Errorf("drift alarm: read streams of model %q: %w", model, err)
	}
	if d.dispersion == nil {
		d.learn()
	}
	return nil
}

// chain returns the days, one after another, that can be gone on from.
func (a *alarms) chain(ctx context.Context, model plumbline.Model, from, until time.Time) ([]lookedAt, error) {
	rows, err := a.drift.conn.Query(ctx, driftDaysSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", from.UnixMilli()), clickhouse.Named("to", until.UnixMilli()))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var chain []lookedAt
	settings := a.settings(model)
	for rows.Next() {
		var (
			l   lookedAt
			set string
		)
		if err := rows.Scan(&l.end, &l.version, &set, &l.requests, &l.training); err != nil {
			return nil, err
		}
		if set != settings {
			chain = nil
			continue
		}
		if n := len(chain); n > 0 {
			last := chain[n-1]
			if l.version < last.version || !l.end.Equal(last.end.Add(day)) {
				break // what follows was looked at before this day was again
			}
			if differ(l.training, last.training) {
				chain = nil
			}
		}
		l.end = l.end.UTC()
		chain = append(chain, l)
	}
	return chain, rows.Err()
}

// streams reads what is known after the days of a chain.
func (a *alarms) streams(ctx context.Context, model plumbline.Model, d *days, chain []lookedAt) error {
	first, last := chain[0].end.Add(-1), chain[len(chain)-1].end
	rows, err := a.drift.conn.Query(ctx, driftStreamsSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", first.UnixMilli()-1), clickhouse.Named("to", last.UnixMilli()))
	if err != nil {
		return err
	}
	defer rows.Close()
	versions := map[int64]uint64{}
	for _, l := range chain {
		versions[l.end.Unix()] = l.version
	}
	states := map[stream]string{}
	for rows.Next() {
		var (
			segment, series, reference, id, status, state string
			version                                       uint64
			w                                             watched
		)
		v := &w.verdict
		if err := rows.Scan(&segment, &series, &reference, &id, &w.end, &version, &w.events, &w.value, &w.nullMean, &v.P, &v.Evidence, &v.Threshold, &status, &v.Assumption, &state); err != nil {
			return err
		}
		if versions[w.end.Unix()] != version {
			continue // of a time when the day had this stream
		}
		s := stream{plumbline.Segment(segment), plumbline.Series(series), reference, measure.ID(id)}
		w.end, v.Status = w.end.UTC(), alarm.Status(status)
		w.remember(d.streams[s].quiet, w.end.Add(-a.cfg.Alarm.History))
		d.streams[s], states[s] = w, state
	}
	for s, state := range states {
		w := d.streams[s]
		if err := json.Unmarshal([]byte(state), &w.known); err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
		w.verdict.Ticket = w.Detector.Open
		d.streams[s] = w
	}
	return rows.Err()
}

// keep stores the day that ended, what its streams are after it, and then goes
// on from there.
func (a *alarms) keep(ctx context.Context, model plumbline.Model, d *days, end time.Time, requests uint64, training uint64, after map[stream]watched) error {
	version := max(d.version+1, uint64(a.now().UnixMilli()))
	rec, err := dayRecord(dayRow{model: model, end: end, version: version, settings: a.settings(model)}, requests, training, after)
	if err != nil {
		return err
	}
	defer rec.Release()
	token := "drift_days/" + rand.Text()
	if err := storage.Again(ctx, func(ctx context.Context) error {
		return a.store.Insert(ctx, plumbline.TableDriftDays, token, rec)
	}); err != nil {
		return fmt.Errorf("drift alarm: store a day of model %q: %w", model, err)
	}
	d.version, d.next = version, end
	for s, w := range after {
		d.streams[s] = w
	}
	return nil
}

// dayRow is one row of drift_days.
type dayRow struct {
	model    plumbline.Model
	end      time.Time
	version  uint64
	settings string
	stream   stream
	watched  watched
	state    string
}

// dayRecord builds the rows of one day: the streams, and how many requests the
// day and the training set have.
func dayRecord(of dayRow, requests, training uint64, after map[stream]watched) (arrow.Record, error) {
	marker := func(reference string, events uint64) dayRow {
		row := of
		row.stream = stream{series: plumbline.SeriesRequests, reference: reference}
		nan := math.NaN()
		row.watched = watched{events: events, value: nan, nullMean: nan, verdict: alarm.Verdict{P: nan, Evidence: nan, Threshold: nan}}
		return row
	}
	rows := []dayRow{marker("", requests), marker(plumbline.ReferenceTraining, training)}
	for s, w := range after {
		row := of
		row.stream, row.watched = s, w
		state, err := json.Marshal(w.known)
		if err != nil {
			return nil, fmt.Errorf("state of %v: %w", s, err)
		}
		row.state = string(state)
		rows = append(rows, row)
	}
	schema := storage.ArrowSchema(plumbline.TableDriftDays)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	var errs []error
	for i, field := range schema.Fields() {
		for _, row := range rows {
			switch column := b.Field(i).(type) {
			case *array.BinaryDictionaryBuilder:
				errs = append(errs, column.AppendString(row.text(field.Name)))
			case *array.StringBuilder:
				column.Append(row.text(field.Name))
			case *array.TimestampBuilder:
				column.Append(arrow.Timestamp(row.end.UnixMilli()))
			case *array.Float64Builder:
				column.Append(row.number(field.Name))
			case *array.Uint64Builder:
				column.Append(row.count(field.Name))
			}
		}
	}
	return b.NewRecord(), errors.Join(errs...)
}

func (r dayRow) text(column string) string {
	switch column {
	case "model":
		return string(r.model)
	case "segment":
		return string(r.stream.segment)
	case "series":
		return string(r.stream.series)
	case "reference":
		return r.stream.reference
	case "measure":
		return string(r.stream.measure)
	case "settings":
		return r.settings
	case "status":
		return string(r.watched.verdict.Status)
	case "assumes":
		return r.watched.verdict.Assumption
	}
	return r.state
}

func (r dayRow) number(column string) float64 {
	switch column {
	case "value":
		return r.watched.value
	case "null_mean":
		return r.watched.nullMean
	case "p":
		return r.watched.verdict.P
	case "evidence":
		return r.watched.verdict.Evidence
	}
	return r.watched.verdict.Threshold
}

func (r dayRow) count(column string) uint64 {
	if column == "version" {
		return r.version
	}
	return r.watched.events
}
