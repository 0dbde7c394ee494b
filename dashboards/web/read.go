package web

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

// section is what every part of a page has: the statements behind it, which the
// page shows, and the error that kept it from speaking.
type section struct {
	Statements []statement
	Err        error
}

type statement struct {
	SQL    string
	Params []driver.NamedValue
}

// read runs the statement sql/NAME.sql and returns its rows. On an error the
// section says so and no row is returned: half a result would look like a whole
// one.
func read[T any](ctx context.Context, p *Page, s *section, name string, params ...driver.NamedValue) []T {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		s.Err = fmt.Errorf("statement %s: %w", name, err)
		return nil
	}
	s.Statements = append(s.Statements, statement{SQL: strings.TrimSpace(string(text)), Params: params})
	found, err := query[T](ctx, p.conn, string(text), params)
	if err != nil {
		s.Err = fmt.Errorf("query %s: %w", name, err)
		return nil
	}
	return found
}

func query[T any](ctx context.Context, conn Querier, sql string, params []driver.NamedValue) (found []T, err error) {
	args := make([]any, len(params))
	for i, p := range params {
		args[i] = p
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	for rows.Next() {
		var row T
		if err := rows.ScanStruct(&row); err != nil {
			return nil, err
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

func at(now time.Time) driver.NamedValue { return clickhouse.Named("to", now.Unix()) }

func forModel(model string) driver.NamedValue { return clickhouse.Named("model", model) }

// Rows as the statements return them.
type (
	trafficRow struct {
		Model string    `ch:"model"`
		Hour  uint64    `ch:"hour"`
		Day   uint64    `ch:"day"`
		Last  time.Time `ch:"last"`
	}
	qualityRow struct {
		Model    string `ch:"model"`
		Labelled int64  `ch:"labelled"`
		Correct  int64  `ch:"correct"`
		Requests int64  `ch:"requests"`
	}
	burnRow struct {
		Model    string    `ch:"model"`
		SLO      string    `ch:"slo"`
		Deploy   string    `ch:"deploy_hash"`
		Window   string    `ch:"window"`
		Value    float64   `ch:"value"`
		Low      float64   `ch:"low"`
		Noise    float64   `ch:"noise"`
		Coverage float64   `ch:"coverage"`
		Verdict  string    `ch:"verdict"`
		Assumes  string    `ch:"rests_on"`
		At       time.Time `ch:"seen"`
	}
	budgetRow struct {
		Model   string  `ch:"model"`
		SLO     string  `ch:"slo"`
		Left    float64 `ch:"left"`
		Verdict string  `ch:"said"`
		Counted uint64  `ch:"counted"`
		Assumes string  `ch:"rests_on"`
	}
	incidentRow struct {
		Model  string `ch:"model"`
		Deploy string `ch:"deploy_hash"`
		SLO    string `ch:"slo"`
		// Name is the alerting rule that began it.
		Name string `ch:"name"`
		// Severity is page or ticket, By who has acknowledged it.
		Severity string `ch:"severity"`
		By       string `ch:"acknowledged_by"`
		// Told is how many notices went out, Text the last one.
		Told  uint64    `ch:"told"`
		Text  string    `ch:"last_text"`
		Since time.Time `ch:"since"`
		// Runbook is the name of its page, or the address of one elsewhere.
		Runbook string
	}
	// troubleRow is something that is wrong with the service itself.
	troubleRow struct {
		Trouble string    `ch:"trouble"`
		Object  string    `ch:"object"`
		Kind    string    `ch:"last_kind"`
		Text    string    `ch:"last_text"`
		Last    time.Time `ch:"last"`
	}
	deployRow struct {
		Deploy         string    `ch:"deploy_hash"`
		Version        string    `ch:"version"`
		By             string    `ch:"by"`
		Note           string    `ch:"note"`
		Since          time.Time `ch:"since"`
		Until          time.Time `ch:"until"`
		Labelled       int64     `ch:"labelled"`
		Correct        int64     `ch:"correct"`
		LabelledBefore int64     `ch:"labelled_before"`
		CorrectBefore  int64     `ch:"correct_before"`
	}
	hourRow struct {
		Hour     time.Time `ch:"hour"`
		Labelled int64     `ch:"labelled"`
		Correct  int64     `ch:"correct"`
		Requests int64     `ch:"requests"`
	}
	driftRow struct {
		Feature string    `ch:"feature"`
		Deploy  string    `ch:"deploy_hash"`
		Stage   string    `ch:"stage"`
		Window  string    `ch:"window"`
		Value   float64   `ch:"value"`
		Verdict string    `ch:"verdict"`
		Events  uint64    `ch:"events"`
		At      time.Time `ch:"seen"`
	}
	noticeRow struct {
		At     time.Time `ch:"at"`
		Kind   string    `ch:"kind"`
		Deploy string    `ch:"deploy_hash"`
		SLO    string    `ch:"slo"`
		Object string    `ch:"object"`
		Text   string    `ch:"text"`
	}
)

// rank orders incidents by how much they need somebody: a page that nobody has taken
// first.
func (i incidentRow) rank() int {
	rank := 0
	if i.Severity != plumbline.SeverityPage {
		rank += 2
	}
	if i.By != "" {
		rank++
	}
	return rank
}

// About is what the incident is about: its SLO, or what fired where it has none.
func (i incidentRow) About() string { return cmp.Or(i.SLO, i.Name) }

// share returns part / whole, or nil where there is no whole to speak of.
func share(part, whole int64) *float64 {
	if whole <= 0 {
		return nil
	}
	v := float64(part) / float64(whole)
	return &v
}
