// Package seed fills the tables with one small world that the tests of the
// dashboards and of the page look at: a declared model whose newest deploy broke
// it, and an undeclared one with a name that no template may trust. It inserts
// through SQL only and is imported by tests alone.
package seed

import (
	"context"
	_ "embed" // seed.sql
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// What the world holds; the tests compute what they expect from these.
const (
	// Model is declared, and broken by DeployNew.
	Model     = "flight-delay"
	DeployOld = "3f9c2e"
	DeployNew = "a71b04"
	SLO       = "flight-delay-accuracy"
	// Odd is undeclared, has traffic only, and a name that breaks out of
	// whatever does not quote it.
	Odd = `odd'); DROP <b>"x"</b> \ $model`

	// PerMinute is the traffic of Model, OddPerMinute that of Odd.
	PerMinute    = 12
	OddPerMinute = 3
	// AccuracyBefore and AccuracyAfter are exact: of ten labelled predictions a
	// minute, that share is right.
	AccuracyBefore = 0.9
	AccuracyAfter  = 0.6
	// BadShare1h and BadShare5m are the newest burn findings of DeployNew.
	BadShare1h = 0.39
	BadShare5m = 0.42
	// BudgetLeft is what is left of the budget by now.
	BudgetLeft = 0.15
	// HalfInterval is half the width of every burn's interval.
	HalfInterval = 0.02
	// Recall is that of DeployOld over each of the windows; DeployNew has too few
	// labels for one. MeanError is the mean absolute error of both.
	Recall    = 0.81
	MeanError = 14.2
	// LongestWindow is the longest that declared metrics are measured over.
	LongestWindow = "1d"
	// Number and Category are features: a number that DeployNew multiplies by
	// Multiplied, and a text.
	Number     = "distance"
	Category   = "origin"
	Multiplied = 10
	// LabelDelay is the age from which on a minute's labels are in.
	LabelDelay = time.Hour
	// SinceDeploy is the age of DeployNew.
	SinceDeploy = 3 * time.Hour
)

// Labelled is how many of PerMinute predictions ever get a label.
const Labelled = 10

// Execer runs one statement; clickhouse-go's driver.Conn is one.
type Execer interface {
	Exec(ctx context.Context, query string, args ...any) error
}

//go:embed seed.sql
var statements string

// Fill inserts the world as it stands at now, which is cut to the minute.
func Fill(ctx context.Context, conn Execer, now time.Time) error {
	args := []any{
		clickhouse.Named("now", now.Truncate(time.Minute).Unix()),
		clickhouse.Named("model", Model), clickhouse.Named("odd", Odd),
		clickhouse.Named("old", DeployOld), clickhouse.Named("new", DeployNew), clickhouse.Named("slo", SLO),
		clickhouse.Named("per_minute", PerMinute), clickhouse.Named("odd_per_minute", OddPerMinute),
		clickhouse.Named("since", int64(SinceDeploy/time.Second)), clickhouse.Named("delay", int64(LabelDelay/time.Second)),
		clickhouse.Named("bad_1h", BadShare1h), clickhouse.Named("bad_5m", BadShare5m), clickhouse.Named("left", BudgetLeft),
		clickhouse.Named("recall", Recall), clickhouse.Named("error", MeanError),
		clickhouse.Named("number", Number), clickhouse.Named("category", Category), clickhouse.Named("multiplied", Multiplied),
	}
	for i, statement := range strings.Split(statements, "\n;\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := conn.Exec(ctx, statement, args...); err != nil {
			return fmt.Errorf("seed statement %d: %w", i+1, err)
		}
	}
	return nil
}
