package evalquality

import (
	"bytes"
	"context"
	_ "embed" // the statements
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
)

//go:embed sql/rollups.sql
var rollupsSQL string

const (
	day = 24 * time.Hour
	// deployed is the one deploy that serves, driver its feature.
	deployed = "v1"
	driver   = "driver"
)

// Store writes a world as ingest and the join would have stored it by the end of the
// day before by: its predictions with their driver as a numeric feature, its labels
// with the time at which they became known. A label that a view shows on a day was
// known a second before that day began.
func (w *World) Store(ctx context.Context, db *storage.DB, model plumbline.Model, by float64) error {
	var asked, heard batch
	for _, part := range []struct {
		name string
		rows []Row
	}{{"reference", w.reference}, {"monitored", w.monitored}} {
		for i, r := range between(part.rows, math.Inf(-1), by) {
			at := timeOf(r.At)
			known := timeOf(r.knownAt).Add(-time.Second)
			if known.Before(at) {
				known = at
			}
			id := part.name + "/" + strconv.Itoa(i)
			row := map[string]any{
				"model": model, "deploy_hash": deployed, "stage": plumbline.StageProduction, "prediction_id": id, "ts": at.UnixMilli(), "known": at.UnixMilli(),
				"score": r.Score, "predicted": class(r.Chosen), "weight": 1, "_topic": part.name, "_offset": i,
			}
			if !math.IsNaN(r.Driver) {
				row["numbers"] = map[string]float64{driver: r.Driver}
			}
			asked.add(at, row)
			if r.knownAt > by {
				continue
			}
			heard.add(at, map[string]any{
				"model": model, "deploy_hash": deployed, "stage": plumbline.StageProduction, "prediction_id": id, "ts": at.UnixMilli(), "known": known.UnixMilli(),
				"predicted": class(r.Chosen), "label": class(r.truth), "score": r.Score, "labelled": 1, "correct": one(r.right()), "requests": 1, "version": 1,
				"label_topic": part.name, "label_offset": i,
			})
		}
	}
	for table, rows := range map[plumbline.TableName]batch{plumbline.TablePredictions: asked, plumbline.TableOutcomes: heard} {
		if err := rows.insert(ctx, db, table); err != nil {
			return fmt.Errorf("store %s: %w", table, err)
		}
	}
	for statement := range strings.SplitSeq(rollupsSQL, ";\n") {
		rows, err := db.Conn().Query(ctx, statement, clickhouse.Named("model", string(model)))
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			return fmt.Errorf("roll up: %w", err)
		}
	}
	return nil
}

// batch are rows by the month of the prediction: raw tables have a partition a day,
// and an insert may touch a hundred.
type batch map[string][]map[string]any

func (b *batch) add(at time.Time, row map[string]any) {
	if *b == nil {
		*b = batch{}
	}
	month := at.Format("2006-01")
	(*b)[month] = append((*b)[month], row)
}

func (b batch) insert(ctx context.Context, db *storage.DB, table plumbline.TableName) error {
	for _, rows := range b {
		var body bytes.Buffer
		out := json.NewEncoder(&body)
		for _, row := range rows {
			if err := out.Encode(row); err != nil {
				return err
			}
		}
		if err := db.Conn().InsertFormat(ctx, "JSONEachRow", "INSERT INTO "+string(table), &body); err != nil {
			return err
		}
	}
	return nil
}

func class(positive bool) string { return strconv.Itoa(int(one(positive))) }

func timeOf(days float64) time.Time {
	return time.UnixMilli(int64(math.Round(days * 86_400_000))).UTC()
}

// Service is what a service would say of a stored world, was it there all the time:
// it counts, and chooses strata, as analyze does in its look at estimates, and asks
// forecast about windows that end just then. Its looks are written here once more,
// for those of analyze have no clock but the wall's: they choose strata without those
// of an earlier process and know no task but what the data show.
type Service struct {
	DB    *storage.DB
	Model plumbline.Model
	// History is analyze.estimate_history.
	History time.Duration
	// Windows are the windows that are asked about, in days.
	Windows []float64
	// StepDays is the pause between two looks, in days. Findings change by the hour;
	// these look at midnight.
	StepDays float64
	// Log is told of the strata that are chosen; nil is told nothing.
	Log func(format string, args ...any)

	scope          history.Scope
	task           forecast.Task
	looked, chosen time.Time
	hour           time.Time
	revised        bool
	forecaster     *forecast.Forecaster
}

// Told is what the service said of a window at its end.
type Told struct {
	End, WindowDays float64
	metric.Value
	// Predictions of the window, Known of them with a label.
	Predictions, Known int64
	// Proven says that a page may rest on it, Immature that the scores were calibrated
	// on labels that were still coming.
	Proven, Immature bool
	// Suspected is suspected concept drift.
	Suspected bool
	// Why says why nothing is said; empty otherwise.
	Why string
}

// What analyze looks back, and how often it looks up what a model answers.
const (
	lookback    = 32 * day
	classesOver = 28 * day
	rechoose    = 7 * day
)

// Run looks at a stored world from its first day on, and asks from the end of the
// first window that is monitored on, up to a day.
func (s *Service) Run(ctx context.Context, w *World, until float64) ([]Told, error) {
	begin, _ := span(w.reference)
	from, to := span(w.monitored)
	longest := 0.0
	for _, days := range s.Windows {
		longest = max(longest, days)
	}
	first := from + longest
	s.scope = history.Scope{Model: s.Model}
	var all []Told
	for end := first - math.Floor((first-begin)/s.StepDays)*s.StepDays; end <= min(to, until); end += s.StepDays {
		if err := s.look(ctx, w, end); err != nil {
			return nil, fmt.Errorf("look on %s: %w", timeOf(end).Format(time.DateOnly), err)
		}
		if end < first {
			continue
		}
		for _, days := range s.Windows {
			if len(between(w.monitored, end-days, end)) == 0 {
				continue
			}
			told, err := s.ask(ctx, end, days)
			if err != nil {
				return nil, fmt.Errorf("ask on %s: %w", timeOf(end).Format(time.DateOnly), err)
			}
			all = append(all, told)
		}
		s.forecaster.Forget(timeOf(end))
	}
	return all, nil
}

// look counts what is new, as the service does when it begins an hour.
func (s *Service) look(ctx context.Context, w *World, now float64) error {
	hour := timeOf(now)
	s.scope.From, s.scope.To = hour.Add(-s.History), hour
	if err := s.settle(ctx, w, now); err != nil {
		return err
	}
	roller := history.Roller{Conn: s.DB.Conn(), To: s.DB.Conn(), Raw: s.DB.Retention().Raw}
	for {
		p, err := roller.Roll(ctx, s.scope)
		if err != nil {
			return err
		}
		s.revised = s.revised || p.Hours+p.Known > 0 && p.Oldest.Before(s.hour)
		if !p.More {
			break
		}
	}
	if s.revised && !s.hour.Equal(hour) {
		s.forecaster, s.revised = s.newForecaster(), false
	}
	s.hour = hour
	return nil
}

func (s *Service) newForecaster() *forecast.Forecaster {
	cfg := forecast.DefaultConfig()
	cfg.History = s.History
	return forecast.New(cfg, history.Reader{Conn: s.DB.Conn()}, s.scope, s.task)
}

// settle looks up what the model answers once a day, and chooses its strata once a
// week.
func (s *Service) settle(ctx context.Context, w *World, now float64) error {
	hour, reader := timeOf(now), history.Reader{Conn: s.DB.Conn()}
	before, task := s.scope.Definition(), s.task
	if hour.Sub(s.looked) >= day {
		classes, err := reader.Classes(ctx, s.Model, hour.Add(-classesOver), hour)
		if err != nil {
			return err
		}
		s.task, s.scope.Classes, s.looked = forecast.TaskOf(classes), classes, hour
	}
	if hour.Sub(s.chosen) >= rechoose {
		since := hour.Add(-min(s.History, lookback))
		asked := len(between(w.reference, daysOf(since), now)) + len(between(w.monitored, daysOf(since), now))
		strata, evidence, err := reader.Choose(ctx, s.Model, nil, s.scope.Strata, since, hour, uint64(asked))
		if err != nil {
			return err
		}
		if s.Log != nil && strata.String() != s.scope.Strata.String() {
			s.Log("%s: strata %s, which take away %.0f %% of the uncertainty of %d predictions", hour.Format(time.DateOnly), strata, 100*evidence.Explained, evidence.Predictions)
		}
		s.scope.Strata, s.chosen = strata, hour
	}
	if s.forecaster == nil || s.scope.Definition() != before || s.task != task {
		s.forecaster, s.hour = s.newForecaster(), time.Time{}
	}
	return nil
}

func daysOf(t time.Time) float64 { return float64(t.UnixMilli()) / 86_400_000 }

func (s *Service) ask(ctx context.Context, end, windowDays float64) (Told, error) {
	told := Told{End: end, WindowDays: windowDays}
	a, err := s.forecaster.Ask(ctx, forecast.Question{End: timeOf(end), Window: days(windowDays), Deploy: deployed})
	if err != nil {
		return told, err
	}
	told.Why, told.Proven, told.Suspected = a.Why, a.Record.Proven, a.Contradiction.Suspected
	told.Predictions, told.Known = a.Estimate.Predictions, a.Estimate.Known
	if a.Fit != nil {
		told.Immature = a.Fit.Immature
	}
	for _, v := range a.Values {
		if v.Metric != metric.Accuracy {
			continue
		}
		if told.Value = v; v.State != metric.OK && told.Why == "" {
			told.Why = v.Why
		}
	}
	return told, nil
}
