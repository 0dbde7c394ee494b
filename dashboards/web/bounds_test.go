package web_test

import (
	"net/http"
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards/internal/seed"
	"github.com/plumbline-slo/plumbline/testenv"
)

// Of a model that decides itself which predictions ever get a label no page shows
// what the labels alone would say, but the bounds; without labels it shows neither.
func TestPartialFeedbackHasNoPoint(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	cfg := config()
	cfg.Partial = []plumbline.Model{seed.Model, "orphan"}
	h := handler(t, env.DB.Conn(), cfg)
	if _, body := get(t, h, "/models/"+seed.Model); strings.Contains(body, `class="range"`) || !strings.Contains(body, "no data: no label for a prediction") {
		t.Error("bounds of no label are drawn")
	}
	if err := seed.Fill(t.Context(), env.DB.Conn(), now()); err != nil {
		t.Fatal(err)
	}
	status, body := get(t, h, "/models/"+seed.Model)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	// Ten of twelve ever get a label, nine of those before the deploy were right.
	wants(t, body, "24 h: bounds", `class="range"`, "75.0 % to 91.7 % right; 600 of 720 labelled", "decides which predictions ever get a label", "No accuracy of a deploy")
	lacks(t, body, "<polyline", `class="point`, "90.0 %", "60.0 %", "points</td>")
	row := line(t, mustGet(t, h, "/"), ">"+seed.Model+"<")
	wants(t, row, " % to ", "bounds, ")
	orphan := line(t, mustGet(t, h, "/"), ">orphan<")
	wants(t, orphan, "no data")
}

func mustGet(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	status, body := get(t, h, path)
	if status != http.StatusOK {
		t.Fatalf("%s: status %d", path, status)
	}
	return body
}

// An SLO on accuracy is silent for ever then, and the page says why.
func TestPartialFeedbackNeverAlerts(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn := env.DB.Conn()
	if err := seed.Fill(t.Context(), conn, now()); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"TRUNCATE TABLE findings", "TRUNCATE TABLE incidents"} {
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, line(t, mustGet(t, handler(t, conn, config()), "/"), ">"+seed.Model+"<"), "nothing known of "+seed.SLO)
	cfg := config()
	cfg.Partial = []plumbline.Model{seed.Model}
	wants(t, line(t, mustGet(t, handler(t, conn, cfg), "/"), ">"+seed.Model+"<"), seed.SLO+" never alerts: the model itself decides", "no data")
}
