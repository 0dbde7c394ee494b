package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/dashboards/web"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A model that answers in the shadow only is silent where it matters, and is listed.
func TestShadowTrafficIsNoTraffic(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	for _, table := range []string{"series_minute", "series_hour"} {
		if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO `+table+` (model, deploy_hash, stage, series, grid, time, count)
			SELECT f.1, 'd', f.2, 'requests', 'g', toDateTime({now:Int64} - f.3), 7
			FROM (SELECT arrayJoin([('gone', 'production', 10800), ('gone', 'shadow', 120), ('candidate', 'canary', 120)]) AS f)`, clickhouse.Named("now", now().Unix())); err != nil {
			t.Fatal(err)
		}
	}
	h := handler(t, env.DB.Conn(), web.Config{})
	body := mustGet(t, h, "/")
	gone := line(t, body, ">gone<")
	wants(t, gone, `class="state missing"`, "no production prediction for 3 h 0 min", "last 3 h 0 min ago")
	candidate := line(t, body, ">candidate<")
	wants(t, candidate, `class="state missing"`, "no production prediction in 90 days", "none in 90 days")
	if status, body := get(t, h, "/models/candidate"); status != http.StatusOK {
		t.Errorf("status %d: %s", status, body)
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
