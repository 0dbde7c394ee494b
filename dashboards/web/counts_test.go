package web_test

import (
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards/web"
	"github.com/plumbline-slo/plumbline/testenv"
)

// Of events as they come the alert compares the long window's share itself, and a page
// waits besides until noise is out of the question; the page says the same.
func TestBurnOfCountsIsTheShareItself(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn := env.DB.Conn()
	for _, f := range []struct {
		model, window     string
		value, low, noise float64
	}{
		{"few", "6h", 0.05, 0.02, 1e-3}, {"few", "30m", 0.06, 0.01, 1},
		{"few", "1d", 0.05, 0.02, 1e-3}, {"few", "2h", 0.06, 0.01, 1},
		{"sure", "6h", 0.05, 0.045, 1e-12}, {"sure", "30m", 0.06, 0.01, 1},
	} {
		if err := conn.Exec(t.Context(), `INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, measure, value, low, p, verdict)
			SELECT {at:DateTime64(3)}, 'burn', {model:String}, 'd', 'production', {slo:String}, {window:String}, 'bad_share', {value:Float64}, {low:Float64}, {noise:Float64}, 'ok'`,
			clickhouse.Named("at", now().Add(-time.Minute).UTC().Format("2006-01-02 15:04:05")), clickhouse.Named("model", f.model), clickhouse.Named("slo", f.model+"-latency"),
			clickhouse.Named("window", f.window), clickhouse.Named("value", f.value), clickhouse.Named("low", f.low), clickhouse.Named("noise", f.noise)); err != nil {
			t.Fatal(err)
		}
		if err := conn.Exec(t.Context(), `INSERT INTO series_minute (model, deploy_hash, stage, series, grid, time, count) SELECT {model:String}, 'd', 'production', 'requests', 'g', {at:DateTime}, 100`,
			clickhouse.Named("model", f.model), clickhouse.Named("at", now().Add(-time.Minute).UTC().Format("2006-01-02 15:04:05"))); err != nil {
			t.Fatal(err)
		}
	}
	page := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 4, Noise: 1e-8}
	ticket := plumbline.WindowPair{Severity: plumbline.SeverityTicket, Long: 24 * time.Hour, Short: 2 * time.Hour, Factor: 4.5}
	objective := func(model plumbline.Model, kind plumbline.SLIKind, pairs ...plumbline.WindowPair) plumbline.Objective {
		return plumbline.Objective{SLO: plumbline.SLO{Name: plumbline.SLOName(model) + "-latency", Model: model, Owner: "o", Target: 0.99, Period: 28 * 24 * time.Hour, SLI: plumbline.SLI{Kind: kind}}, Pairs: pairs}
	}
	for name, tt := range map[string]struct {
		objective  plumbline.Objective
		want, lack string
	}{
		"a ticket needs no evidence":  {objective("few", plumbline.SLILatency, page, ticket), "burns beyond its ticket threshold", "within bounds"},
		"noise may start such a page": {objective("few", plumbline.SLILatency, page), "close", "in breach"},
		"noise may not":               {objective("sure", plumbline.SLILatency, page), "burns beyond its page threshold", "close"},
		"labels have an interval":     {objective("few", plumbline.SLIQuality, ticket), "0.44 ×", "in breach"},
	} {
		row := line(t, mustGet(t, handler(t, conn, web.Config{Objectives: []plumbline.Objective{tt.objective}}), "/"), ">"+string(tt.objective.SLO.Model)+"<")
		t.Run(name, func(t *testing.T) {
			wants(t, row, tt.want)
			lacks(t, row, tt.lack)
		})
	}
}

// For days after a deploy the windows of the one before it are empty, one after the
// other: they are not missing, while others serve.
func TestADeployThatServesNoMoreIsNotMissing(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, measure, value, low, verdict, assumes)
		SELECT toDateTime64({now:Int64} - 60, 3), 'burn', 'm', f.1, 'production', 'fast', f.2, 'bad_share', f.3, f.3, f.4, f.5
		FROM (SELECT arrayJoin([('old', '30m', nan, 'missing', {elsewhere:String}), ('old', '6h', nan, 'missing', 'every event counts'), ('new', '6h', 0.001, 'ok', ''), ('new', '30m', 0.001, 'ok', '')]) AS f)`,
		clickhouse.Named("now", now().Unix()), clickhouse.Named("elsewhere", plumbline.AssumesElsewhere)); err != nil {
		t.Fatal(err)
	}
	h := handler(t, env.DB.Conn(), web.Config{Objectives: []plumbline.Objective{{
		SLO:   plumbline.SLO{Name: "fast", Model: "m", Owner: "o", Target: 0.99, Period: 28 * 24 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLILatency}},
		Pairs: []plumbline.WindowPair{{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 4}},
	}}})
	part := section(t, mustGet(t, h, "/models/m"), "Is it burning")
	wants(t, part, "<code>new</code>", "within bounds")
	lacks(t, part, "<code>old</code>")
}
