// Package estimates reads what a service told of quality before the labels were in:
// its newest findings of the signal estimated_quality.
package estimates

import (
	"context"
	_ "embed" // the statements
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
)

//go:embed told.sql
var toldSQL string

//go:embed served.sql
var servedSQL string

// Question asks what was told of a model.
type Question struct {
	Model plumbline.Model
	// Deploys, Windows and Metrics are the ones asked about; all where empty. Windows
	// are spelled as findings spell them.
	Deploys, Windows, Metrics []string
	// Interval is the pause between two looks of the service.
	Interval time.Duration
}

// Estimate is one measure of the predictions that one deploy made in one window, as
// it was told. Numbers are NaN where nothing could be said.
type Estimate struct {
	Deploy    string
	Window    string
	WindowEnd time.Time
	Metric    string
	// Value may be NaN where Low and High are known: those are bounds then.
	Value, Low, High float64
	// Predictions is 0 where there is no number: then nobody counted them.
	Predictions uint64
	// LabelledShare is the share of the predictions whose label was in, Maturity that
	// of the labels that will ever come.
	LabelledShare, Maturity float64
	// Verdict is ok where a page may rest on it.
	Verdict string
	Assumes string
	Said    time.Time
	// Age is how long ago that was; Stale says that a newer one should have been told.
	Age   time.Duration
	Stale bool
}

// Answer is what was told of a model.
type Answer struct {
	Model     plumbline.Model
	Estimates []Estimate
}

// Read answers a question as of now. Where nothing was told, its error says why, as
// far as that can be known.
func Read(ctx context.Context, conn driver.Conn, q Question, now time.Time) (Answer, error) {
	told, err := readDeploys(ctx, conn, q)
	if err != nil {
		return Answer{}, fmt.Errorf("estimates of model %q: %w", q.Model, err)
	}
	if len(told) == 0 {
		return Answer{}, why(ctx, conn, q)
	}
	var of []string // what is asked for
	for _, filter := range []struct {
		what   string
		wanted []string
		of     func(Estimate) string
	}{
		{"window", q.Windows, func(e Estimate) string { return e.Window }},
		{"metric", q.Metrics, func(e Estimate) string { return e.Metric }},
		{"deploy", q.Deploys, func(e Estimate) string { return e.Deploy }},
	} {
		var known, unknown []string
		for _, e := range told {
			known = append(known, filter.of(e))
		}
		for _, w := range filter.wanted {
			if !slices.Contains(known, w) {
				unknown = append(unknown, w)
			}
		}
		if len(unknown) > 0 {
			slices.Sort(known)
			of = append(of, filter.what+" "+strings.Join(unknown, ", "))
			return Answer{}, fmt.Errorf("model %q: no estimate of %s was told, of %s was", q.Model, strings.Join(of, ", "), strings.Join(slices.Compact(known), ", "))
		}
		if len(filter.wanted) > 0 {
			of = append(of, filter.what+" "+strings.Join(filter.wanted, ", "))
			told = slices.DeleteFunc(told, func(e Estimate) bool { return !slices.Contains(filter.wanted, filter.of(e)) })
		}
	}
	for i := range told {
		told[i].Age = now.Sub(told[i].Said)
		// They are of hours that are over, and said again every few minutes.
		told[i].Stale = told[i].Age > time.Hour
	}
	return Answer{q.Model, told}, nil
}

// readDeploys reads each deploy that is asked about by itself: when one was told of
// leaves none of the others out.
func readDeploys(ctx context.Context, conn driver.Conn, q Question) ([]Estimate, error) {
	if len(q.Deploys) == 0 {
		return read(ctx, conn, q.Model, "")
	}
	var told []Estimate
	for _, deploy := range slices.Compact(slices.Sorted(slices.Values(q.Deploys))) {
		if deploy == "" {
			continue // findings of no deploy are of all
		}
		of, err := read(ctx, conn, q.Model, deploy)
		if err != nil {
			return nil, err
		}
		told = append(told, of...)
	}
	return told, nil
}

// read reads what was told of one deploy, or of all where it is empty.
func read(ctx context.Context, conn driver.Conn, model plumbline.Model, deploy string) ([]Estimate, error) {
	rows, err := conn.Query(ctx, toldSQL, clickhouse.Named("model", string(model)), clickhouse.Named("deploy", deploy))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	var told, mature []Estimate
	for rows.Next() {
		var e Estimate
		var signal string
		if err := rows.Scan(&signal, &e.Deploy, &e.Window, &e.Metric, &e.Said, &e.WindowEnd, &e.Value, &e.Low, &e.High, &e.Predictions, &e.LabelledShare, &e.Verdict, &e.Assumes); err != nil {
			return nil, err
		}
		if signal == string(plumbline.SignalMaturity) {
			mature = append(mature, e)
			continue
		}
		e.Maturity = math.NaN()
		told = append(told, e)
	}
	for i, e := range told {
		for _, m := range mature {
			// Bounds are of an earlier window than maturity.
			if m.Deploy == e.Deploy && m.Window == e.Window && m.WindowEnd.Equal(e.WindowEnd) {
				told[i].Maturity = m.Value
				if math.IsNaN(e.LabelledShare) {
					told[i].LabelledShare = m.LabelledShare
				}
			}
		}
	}
	return told, rows.Err()
}

// why says why nothing was told, and what to do.
func why(ctx context.Context, conn driver.Conn, q Question) error {
	var (
		served, said time.Time
		says         string
		waiting      bool
	)
	if err := conn.QueryRow(ctx, servedSQL, clickhouse.Named("model", string(q.Model))).Scan(&served, &said, &says, &waiting); err != nil {
		return fmt.Errorf("estimates of model %q: %w", q.Model, err)
	}
	of := fmt.Sprintf("model %q", q.Model)
	if len(q.Deploys) > 0 {
		of += ", deploy " + strings.Join(q.Deploys, ", ")
	}
	const stamp = "2006-01-02 15:04"
	switch {
	case served.Unix() <= 0:
		return errors.New(of + ": no estimate was told, for it has no prediction of stage production: is the name right?")
	case waiting && len(q.Deploys) == 0:
		return fmt.Errorf("%s: no estimate was told yet; at %s the service said: %s", of, said.UTC().Format(stamp), says)
	}
	return fmt.Errorf("%s: no estimate was told; its newest prediction is of the hour from %s. A running service tells one of every deploy that served in production within analyze.estimate_windows, once an hour of it is over and at most %s (analyze.estimate_interval) later: ask again then, or see its log", of, served.UTC().Format(stamp), q.Interval)
}

type answerJSON struct {
	Model     plumbline.Model `json:"model"`
	Estimates []estimateJSON  `json:"estimates"`
}

type estimateJSON struct {
	Deploy        string     `json:"deploy"`
	Window        string     `json:"window"`
	WindowEnd     time.Time  `json:"window_end"`
	Metric        string     `json:"metric"`
	Value         ask.Number `json:"value"`
	Low           ask.Number `json:"low"`
	High          ask.Number `json:"high"`
	Predictions   uint64     `json:"predictions,omitempty"`
	LabelledShare ask.Number `json:"labelled_share"`
	Maturity      ask.Number `json:"maturity"`
	Verdict       string     `json:"verdict"`
	Assumes       string     `json:"assumes"`
	Said          time.Time  `json:"said"`
	AgeSeconds    int64      `json:"age_seconds"`
	Stale         bool       `json:"stale"`
}

// MarshalJSON writes the answer. Numbers that say nothing are null.
func (a Answer) MarshalJSON() ([]byte, error) {
	out := answerJSON{a.Model, make([]estimateJSON, len(a.Estimates))}
	for i, e := range a.Estimates {
		out.Estimates[i] = estimateJSON{
			e.Deploy, e.Window, e.WindowEnd.UTC(), e.Metric, ask.Number(e.Value), ask.Number(e.Low), ask.Number(e.High), e.Predictions,
			ask.Number(e.LabelledShare), ask.Number(e.Maturity), e.Verdict, e.Assumes, e.Said.UTC(), int64(e.Age / time.Second), e.Stale,
		}
	}
	return json.Marshal(out)
}
