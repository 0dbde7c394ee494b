package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards/web"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A model that answers in the shadow only, or was deployed and never answered, is silent
// where it matters, and is listed.
func TestShadowTrafficIsNoTraffic(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	for _, table := range []string{"series_minute", "series_hour"} {
		if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO `+table+` (model, deploy_hash, stage, series, grid, time, count)
			SELECT f.1, 'd', f.2, 'requests', 'g', toDateTime({now:Int64} - f.3), 7
			FROM (SELECT arrayJoin([('gone', 'production', 10800), ('gone', 'shadow', 120), ('candidate', 'canary', 120)]) AS f)`, clickhouse.Named("now", now().Unix())); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO deployments (model, deploy_hash, stage, ts)
		SELECT f.1, 'd', f.2, toDateTime64({now:Int64} - f.3, 3)
		FROM (SELECT arrayJoin([('deployed', 'production', 10800), ('trained', 'training', 10800), ('long-ago', 'production', 7862400)]) AS f)`, clickhouse.Named("now", now().Unix())); err != nil {
		t.Fatal(err)
	}
	h := handler(t, env.DB.Conn(), web.Config{})
	body := mustGet(t, h, "/")
	wants(t, line(t, body, ">deployed<"), `class="state missing"`, "no production prediction in 90 days")
	if strings.Contains(body, ">trained<") || strings.Contains(body, ">long-ago<") {
		t.Error("a training run, or a deploy of long ago, is listed")
	}
	gone := line(t, body, ">gone<")
	wants(t, gone, `class="state missing"`, "no production prediction for 3 h 0 min", "last 3 h 0 min ago")
	candidate := line(t, body, ">candidate<")
	wants(t, candidate, `class="state missing"`, "no production prediction in 90 days", "none in 90 days")
	for _, model := range []string{"candidate", "deployed"} {
		if status, body := get(t, h, "/models/"+model); status != http.StatusOK {
			t.Errorf("%s: status %d: %s", model, status, body)
		}
	}
}

// A deploy that every replica tells of when it starts is one deploy.
func TestADeployThatIsToldOfAgainIsOne(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO deployments (model, deploy_hash, stage, ts)
		SELECT 'm', d.1, 'production', toDateTime64({now:Int64} - d.2, 3)
		FROM (SELECT arrayJoin([('first', 90000), ('second', 7200), ('second', 7200), ('second', 600), ('first', 300)]) AS d)`, clickhouse.Named("now", now().Unix())); err != nil {
		t.Fatal(err)
	}
	if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO outcome_cells (model, deploy_hash, stage, time, known, labelled, correct, version)
		SELECT 'm', d.1, 'production', toDateTime({now:Int64} - d.2), toStartOfHour(toDateTime({now:Int64})), 100, d.3, 1
		FROM (SELECT arrayJoin([('first', 30000, 90), ('second', 6000, 20), ('second', 480, 40)]) AS d)`, clickhouse.Named("now", now().Unix())); err != nil {
		t.Fatal(err)
	}
	part := section(t, mustGet(t, handler(t, env.DB.Conn(), web.Config{}), "/models/m"), "Accuracy before and after")
	if got := strings.Count(part, "<code>"); got != 3 {
		t.Errorf("%d deploys, want 3: the first came back", got)
	}
	wants(t, line(t, part, "<code>second"), "2 h 0 min ago", "90.0 %", "30.0 %", ">200<")
}

// What drifts in the shadow says so, and a breach is shown however many features there
// are.
func TestDriftSaysItsStageAndThatThereIsMore(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, reference, window, measure, value, verdict)
		SELECT toDateTime64({now:Int64} - 60, 3), 'drift', 'm', 'd', if(number = 0, 'shadow', 'production'), concat('f', toString(number)), 'training', '1d', 'psi', 1 + number, 'ok' FROM numbers(41)
		UNION ALL SELECT toDateTime64({now:Int64} - 60, 3), 'drift', 'm', 'd', 'shadow', 'small', 'training', '1d', 'psi', 0.2, 'breach'`, clickhouse.Named("now", now().Unix())); err != nil {
		t.Fatal(err)
	}
	part := section(t, mustGet(t, handler(t, env.DB.Conn(), web.Config{}), "/models/m"), "Which input moved")
	wants(t, line(t, part, ">small<"), "in breach", "1d, shadow")
	wants(t, line(t, part, ">f40<"), "1d<small>")
	wants(t, part, "there are more")
	lacks(t, part, ">f0<", ">f1<")
}

// Every open incident of a model is on its page, and a page that nobody has taken stands
// before a newer ticket that somebody has.
func TestEveryOpenIncidentIsShown(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO incidents (incident, key, model, deploy_hash, slo, name, owner, severity, opened, acknowledged_by, resolved, version)
		SELECT i.1, 'k', 'm', i.2, i.3, i.4, 'o', i.5, toDateTime64({now:Int64} - i.6, 3), i.7, toDateTime64(0, 3), 1
		FROM (SELECT arrayJoin([('a', 'd1', 'right', 'SLOBurn', 'page', 7200, ''), ('b', '', 'fast', 'SLOMissing', 'ticket', 600, 'bo'), ('c', 'd2', '', 'ConceptDriftSuspected', 'ticket', 300, '')]) AS i)`,
		clickhouse.Named("now", now().Unix())); err != nil {
		t.Fatal(err)
	}
	for runbook, slo := range map[string]plumbline.SLO{
		"/runbooks/latency": {SLI: plumbline.SLI{Kind: plumbline.SLILatency}}, "/runbooks/our-own": {Runbook: "our-own"}, "https://wiki.example/x": {Runbook: "https://wiki.example/x"},
	} {
		slo.Name, slo.Model = "right", "m"
		wants(t, mustGet(t, handler(t, env.DB.Conn(), web.Config{Objectives: []plumbline.Objective{{SLO: slo}}}), "/models/m"), `href="`+runbook+`"`)
	}
	h := handler(t, env.DB.Conn(), web.Config{})
	wants(t, line(t, mustGet(t, h, "/"), ">m<"), "open 2 h 0 min", "page · right · d1", "not acknowledged", "and 2 more")
	body := mustGet(t, h, "/models/m")
	wants(t, body, "A page: right on deploy <code>d1</code>", "A ticket: fast, since", "bo</strong> has acknowledged it", "A ticket: ConceptDriftSuspected on deploy <code>d2</code>",
		"/runbooks/slo-burn", "/runbooks/slo-missing", "/runbooks/concept-drift")
	if strings.Index(body, "A page: right") > strings.Index(body, "A ticket: fast") {
		t.Error("the page that nobody has taken does not stand first")
	}
}

// Among those in breach stand first those whose page nobody has taken, whatever their
// names are.
func TestWhoNeedsSomebodyStandsFirst(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO incidents (incident, key, model, slo, name, severity, opened, acknowledged_by, resolved, version)
		SELECT i.1, 'k', i.1, 's', 'SLOBurn', i.2, toDateTime64({now:Int64} - 600, 3), i.3, toDateTime64(0, 3), 1
		FROM (SELECT arrayJoin([('a', 'ticket', 'bo'), ('b', 'ticket', ''), ('c', 'page', 'bo'), ('d', 'page', '')]) AS i)`, clickhouse.Named("now", now().Unix())); err != nil {
		t.Fatal(err)
	}
	body := mustGet(t, handler(t, env.DB.Conn(), web.Config{}), "/")
	last := -1
	for _, name := range []string{"d", "c", "b", "a"} {
		at := strings.Index(body, `href="/models/`+name+`"`)
		if at <= last {
			t.Errorf("%s does not stand in its place", name)
		}
		last = at
	}
}
