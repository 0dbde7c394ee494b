package alerting_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/slack"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// example is an alert as the generated rules write it.
func example(severity string) alerting.Alert {
	a := alerting.Alert{
		Labels: map[string]string{
			"alertname": "SLOBurn", plumbline.LabelModel: "flight-delay", plumbline.LabelDeploy: "9c41d2e0",
			plumbline.LabelSLO: "late-accuracy", plumbline.LabelSeverity: severity, plumbline.LabelOwner: "flights-oncall",
		},
		Annotations: map[string]string{
			plumbline.AnnotationSummary:   "Predictions of flight-delay are wrong more often than the SLO allows",
			plumbline.AnnotationRunbook:   "https://runbooks.example/slo-burn",
			plumbline.AnnotationDashboard: "https://grafana.example/d/oncall?var-model=flight-delay",
			plumbline.AnnotationPage:      "http://127.0.0.1:9300/models/flight-delay",
			plumbline.AnnotationSQL:       "SELECT 1 - sum(correct) / sum(labelled)\nFROM outcome_cells FINAL\nWHERE model = 'flight-delay' AND deploy_hash = '9c41d2e0'",
			plumbline.AnnotationBurnRate:  "3.81", plumbline.AnnotationValue: "38.1%", plumbline.AnnotationLongValue: "41.2%", plumbline.AnnotationShortValue: "40.3%", plumbline.AnnotationThreshold: "28%",
			plumbline.AnnotationHighValue: "44.5%", plumbline.AnnotationBudgetLeft: "61%",
			plumbline.AnnotationTarget: "90%", plumbline.AnnotationWindows: "1h/5m", plumbline.AnnotationPeriod: "7d",
			plumbline.AnnotationCoverage: "74%",
		},
		StartsAt: noon.Add(-12 * time.Minute), EndsAt: noon.Add(4 * time.Minute),
	}
	if severity == plumbline.SeverityTicket {
		for name, value := range map[string]string{
			plumbline.AnnotationWindows: "1d/2h", plumbline.AnnotationBurnRate: "1.8", plumbline.AnnotationValue: "18%",
			plumbline.AnnotationLongValue: "18.9%", plumbline.AnnotationShortValue: "40.1%", plumbline.AnnotationHighValue: "19.8%", plumbline.AnnotationThreshold: "15%",
		} {
			a.Annotations[name] = value
		}
	}
	return a
}

var flights = plumbline.OwnerEntry{Name: "flights-oncall", Team: "Flights"}

var platform = plumbline.OwnerEntry{Name: "platform"}

// serviceAlert is an alert about the service itself: it has no model.
func serviceAlert() alerting.Alert {
	return alerting.Alert{
		Labels: map[string]string{
			"alertname": "PartitionParked", plumbline.LabelObject: "predictions/3",
			plumbline.LabelSeverity: plumbline.SeverityPage, plumbline.LabelOwner: "platform",
		},
		Annotations: map[string]string{
			plumbline.AnnotationSummary:     "partition predictions/3 is parked",
			plumbline.AnnotationDescription: "Nothing of it is stored and nothing is lost.\nCode: 16. DB::Exception: No such column `x` in table *predictions*.",
			plumbline.AnnotationRunbook:     "https://plumbline.example/runbooks/service",
		},
		StartsAt: noon.Add(-12 * time.Minute), EndsAt: noon.Add(4 * time.Minute),
	}
}

// hostile is a name as a producer with bad intent would choose it.
const hostile = "<!channel> <https://evil.example|click> `*_~&\n\u202e@here"

// texts are the pages the golden files show.
func texts(t *testing.T) map[string]alerting.Text {
	t.Helper()
	ex, err := known{}.Explain(t.Context(), alerting.Question{})
	if err != nil {
		t.Fatal(err)
	}
	ended := example(plumbline.SeverityPage)
	ended.EndsAt = noon.Add(-time.Minute)
	evil := example(plumbline.SeverityPage)
	evil.Labels[plumbline.LabelModel], evil.Labels[plumbline.LabelDeploy] = hostile, hostile
	evil.Annotations[plumbline.AnnotationSummary] = hostile
	evil.Annotations[plumbline.AnnotationRunbook] = "javascript:alert(1)"
	evil.Annotations[plumbline.AnnotationDashboard] = "https://x.example/|a>"
	evil.Annotations[plumbline.AnnotationSQL] = "SELECT '```<!here>'"
	evilCause := ex
	evilCause.Features = []alerting.FeatureShift{{Feature: hostile, PSI: 1, Before: hostile, After: hostile}}
	evilCause.Carriers = []string{hostile}
	blind := example(plumbline.SeverityTicket)
	blind.Annotations = map[string]string{
		plumbline.AnnotationSummary:     "flight-delay: nothing is known about SLO late-accuracy",
		plumbline.AnnotationDescription: "No window of the SLO has had a number for 1h.\nLook at the label pipeline first.",
	}
	taken := alerting.NewText([]alerting.Alert{example(plumbline.SeverityPage)}, flights, ex, nil, noon)
	taken.Acked = &alerting.Ack{By: "ann (U0123ABCD)", At: noon.Add(-2 * time.Minute)}
	parked := serviceAlert()
	unparked := serviceAlert()
	unparked.EndsAt = noon.Add(-time.Minute)
	odd := serviceAlert()
	odd.Annotations, odd.Labels[plumbline.LabelObject] = nil, hostile
	bare := example(plumbline.SeverityTicket)
	bare.Annotations = nil
	return map[string]alerting.Text{
		"page":     alerting.NewText([]alerting.Alert{example(plumbline.SeverityTicket), example(plumbline.SeverityPage)}, flights, ex, nil, noon),
		"resolved": alerting.NewText([]alerting.Alert{ended}, flights, alerting.Explanation{}, nil, noon),
		"taken":    taken,
		"missing":  alerting.NewText([]alerting.Alert{example(plumbline.SeverityPage)}, flights, ex, errors.New("no answer within 5s"), noon),
		"hostile":  alerting.NewText([]alerting.Alert{evil}, flights, evilCause, nil, noon),
		"blind":    alerting.NewText([]alerting.Alert{blind}, flights, alerting.Explanation{}, nil, noon),
		"parked":   alerting.NewText([]alerting.Alert{parked}, platform, alerting.Explanation{}, nil, noon),
		"unparked": alerting.NewText([]alerting.Alert{unparked}, platform, alerting.Explanation{}, nil, noon),
		"odd":      alerting.NewText([]alerting.Alert{odd}, platform, alerting.Explanation{}, nil, noon),
		"bare":     alerting.NewText([]alerting.Alert{bare}, plumbline.OwnerEntry{}, alerting.Explanation{}, nil, noon),
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run go test -update and read the diff. Got:\n%s", path, got)
	}
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGoldenTexts(t *testing.T) {
	for name, text := range texts(t) {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", []byte(alerting.RenderText(text)))
			golden(t, name+".slack.json", indented(t, slack.Blocks(text, slack.Buttons{Shown: true, Gate: true})))
			action := "trigger"
			if text.Status == alerting.StatusResolved {
				action = "resolve"
			}
			golden(t, name+".pagerduty.json", indented(t, pagerduty.NewEvent(action, routingKey, "http://127.0.0.1:9300", text)))
		})
	}
}

func TestGoldenRoutes(t *testing.T) {
	c := alerting.DefaultConfig()
	c.Owners = []plumbline.OwnerEntry{{Name: "flights-oncall", Models: []plumbline.Model{"flight-delay", "fare"}}, {Name: "ads", Models: []plumbline.Model{"ctr"}}, platform}
	c.ServiceOwner = platform.Name
	got, err := alerting.RoutesYAML(c)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "routes.yml", got)
}

// An objective may name another owner than its model has. Alerts of an owner's own
// models are matched by the model alone, as ever: what is open stays one incident.
func TestTheOwnerOfAnObjectiveIsTold(t *testing.T) {
	c := alerting.DefaultConfig()
	c.Owners = []plumbline.OwnerEntry{
		{Name: "flights-oncall", Models: []plumbline.Model{"flight-delay"}, Escalation: &plumbline.Escalation{After: time.Hour, To: "platform"}},
		{Name: "latency", Escalation: &plumbline.Escalation{After: time.Hour, To: "platform"}}, platform,
	}
	text, err := alerting.RoutesYAML(c)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := config.Load(string(text))
	if err != nil {
		t.Fatal(err)
	}
	tree := dispatch.NewRoute(parsed.Route, nil)
	for _, tt := range []struct {
		model, owner string
		want         []string
		key          string
	}{
		{"flight-delay", "flights-oncall", []string{"owner/flights-oncall", "escalation/flights-oncall/platform"}, `{}/{model="flight-delay"}`},
		{"flight-delay", "", []string{"owner/flights-oncall", "escalation/flights-oncall/platform"}, `{}/{model="flight-delay"}`},
		{"flight-delay", "nobody", []string{"owner/flights-oncall", "escalation/flights-oncall/platform"}, `{}/{model="flight-delay"}`},
		{"flight-delay", "latency", []string{"owner/latency", "escalation/latency/platform"}, ""},
		{"unowned", "flights-oncall", []string{"owner/flights-oncall", "escalation/flights-oncall/platform"}, ""},
		{"unowned", "", []string{"undeclared"}, ""},
	} {
		matched := tree.Match(model.LabelSet{plumbline.LabelModel: model.LabelValue(tt.model), plumbline.LabelOwner: model.LabelValue(tt.owner)})
		var got []string
		for _, r := range matched {
			got = append(got, r.RouteOpts.Receiver)
		}
		if !slices.Equal(got, tt.want) || tt.key != "" && matched[0].Key() != tt.key {
			t.Errorf("model %q, owner %q go to %v (%s), want %v (%s)", tt.model, tt.owner, got, matched[0].Key(), tt.want, tt.key)
		}
	}
}

func TestThePageNamesWhatItMust(t *testing.T) {
	page := alerting.RenderText(texts(t)["page"])
	for _, want := range []string{
		"9c41d2e0", "distance: PSI 8.1", "median 569 → 412,000", "at least 38.1 % bad", "41.2 % over 1h", "40.3 % over 5m", "3.81 times too fast",
		"2026-11-21 11:48 UTC (for 12m)", "61 % of the error budget of 7d is left", "lasts 1d at this rate (between 23h 2m and 1d 2h)", "82.1 %", "58.8 %", "74 %", "flights-oncall (Flights)",
		"https://runbooks.example/slo-burn", "https://grafana.example/", "SELECT 1 - sum(correct)", "over 2h",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
}

// The oracle is arithmetic: period x share left / (bad share / budget).
func TestExhaustion(t *testing.T) {
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		change map[string]string
		want   alerting.Exhaustion
		ok     bool
	}{
		"all known":      {nil, alerting.Exhaustion{Left: alerting.Known{V: 0.61, OK: true}, At: 24*time.Hour + 52*time.Minute, Soonest: 23*time.Hour + 2*time.Minute, Latest: 26*time.Hour + 54*time.Minute}, true},
		"whole budget":   {map[string]string{plumbline.AnnotationBudgetLeft: ""}, alerting.Exhaustion{At: 40*time.Hour + 47*time.Minute, Soonest: 37*time.Hour + 45*time.Minute, Latest: 44*time.Hour + 6*time.Minute}, true},
		"no upper end":   {map[string]string{plumbline.AnnotationHighValue: "NaN", plumbline.AnnotationBudgetLeft: ""}, alerting.Exhaustion{At: 40*time.Hour + 47*time.Minute, Latest: 44*time.Hour + 6*time.Minute}, true},
		"a rate alone":   {map[string]string{plumbline.AnnotationTarget: "", plumbline.AnnotationBudgetLeft: "", plumbline.AnnotationBurnRate: "7"}, alerting.Exhaustion{At: day}, true},
		"spent":          {map[string]string{plumbline.AnnotationBudgetLeft: "-12%"}, alerting.Exhaustion{Left: alerting.Known{V: -0.12, OK: true}}, true},
		"no period":      {map[string]string{plumbline.AnnotationPeriod: ""}, alerting.Exhaustion{}, false},
		"no rate":        {map[string]string{plumbline.AnnotationBurnRate: "an unknown share"}, alerting.Exhaustion{}, false},
		"nothing is bad": {map[string]string{plumbline.AnnotationBurnRate: "0", plumbline.AnnotationLongValue: "0%", plumbline.AnnotationHighValue: ""}, alerting.Exhaustion{Left: alerting.Known{V: 0.61, OK: true}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := example(plumbline.SeverityPage)
			for k, v := range c.change {
				a.Annotations[k] = v
			}
			text := alerting.NewText([]alerting.Alert{a}, flights, alerting.Explanation{}, nil, noon)
			got, ok := text.Exhaustion()
			got.At, got.Soonest, got.Latest = got.At.Round(time.Minute), got.Soonest.Round(time.Minute), got.Latest.Round(time.Minute)
			if got != c.want || ok != c.ok {
				t.Errorf("got %+v, %t; want %+v, %t", got, ok, c.want, c.ok)
			}
			if page := alerting.RenderText(text); strings.Contains(page, "lasts 0s") {
				t.Errorf("a budget lasts no time:\n%s", page)
			}
		})
	}
	spent := example(plumbline.SeverityPage)
	spent.Annotations[plumbline.AnnotationBudgetLeft] = "-12%"
	if page := alerting.RenderText(alerting.NewText([]alerting.Alert{spent}, flights, alerting.Explanation{}, nil, noon)); !strings.Contains(page, "the error budget of 7d is spent (-12 % left)") {
		t.Errorf("a spent budget is not said:\n%s", page)
	}
}

// A ticket that is of no SLO does not end within one.
func TestTheEndOfATicketWithoutAnSLO(t *testing.T) {
	a := example(plumbline.SeverityTicket)
	a.Labels["alertname"] = plumbline.AlertConceptDrift
	delete(a.Labels, plumbline.LabelSLO)
	a.EndsAt = noon.Add(-time.Minute)
	page := alerting.RenderText(alerting.NewText([]alerting.Alert{a}, flights, alerting.Explanation{}, nil, noon))
	if strings.Contains(page, "back within") || !strings.Contains(page, "ConceptDriftSuspected is over") {
		t.Errorf("it says:\n%s", page)
	}
}

// The dashboard shows the time of the incident: from the longest window before
// it began, to now or half an hour after its end.
func TestDashboardTimeRange(t *testing.T) {
	began := noon.Add(-12 * time.Minute).UnixMilli()
	link := func(url, windows string, over bool) string {
		a := example(plumbline.SeverityPage)
		a.Annotations[plumbline.AnnotationDashboard], a.Annotations[plumbline.AnnotationWindows] = url, windows
		if over {
			a.EndsAt = noon.Add(-time.Minute)
		}
		text := alerting.NewText([]alerting.Alert{a}, flights, alerting.Explanation{}, nil, noon)
		return text.Link("Dashboard")
	}
	hour, sixHours := int64(3_600_000), int64(6*3_600_000)
	for _, c := range []struct{ got, want string }{
		{link("https://g.example/d/x?var-model=m", "6h/30m", false), fmt.Sprintf("https://g.example/d/x?var-model=m&from=%d&to=now", began-sixHours)},
		{link("https://g.example/d/x", "5m", false), fmt.Sprintf("https://g.example/d/x?from=%d&to=now", began-hour)},
		{link("https://g.example/d/x#panel", "1h/5m", true), fmt.Sprintf("https://g.example/d/x?from=%d&to=%d#panel", began-hour, noon.Add(29*time.Minute).UnixMilli())},
		{link("https://g.example/d/x?from=now-6h", "1h/5m", false), "https://g.example/d/x?from=now-6h"},
		{link("javascript:alert(1)", "1h/5m", false), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestNumbersThatAreNoneAreLeftOut(t *testing.T) {
	a := example(plumbline.SeverityPage)
	a.Annotations[plumbline.AnnotationBurnRate], a.Annotations[plumbline.AnnotationValue] = "NaN", "+Inf"
	a.Annotations[plumbline.AnnotationPeriod] = "soon"
	nan := math.NaN()
	text := alerting.NewText([]alerting.Alert{a}, flights, alerting.Explanation{
		Coverage: &nan, Quality: &alerting.QualityChange{Before: nan},
		Features: []alerting.FeatureShift{{Feature: "f", PSI: math.Inf(1)}},
	}, nil, noon)
	if _, ok := text.Rate(); ok {
		t.Error("NaN is a burn rate")
	}
	if page := alerting.RenderText(text); strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || strings.Contains(page, "Budget") {
		t.Errorf("the page shows what is no number:\n%s", page)
	}
	if _, err := json.Marshal(text); err != nil {
		t.Errorf("the text cannot be kept: %v", err)
	}
}

func TestIncidentKeyKeepsPartsApart(t *testing.T) {
	if alerting.IncidentKey("ab", "c", "d") == alerting.IncidentKey("a", "bc", "d") {
		t.Error("two incidents share a key")
	}
	if key := alerting.IncidentKey("a", "b", "c"); len(key) > 255 || key != alerting.IncidentKey("a", "b", "c") {
		t.Errorf("key %q is too long or not stable", key)
	}
}

// FuzzSlackBlocks holds the layout to Slack's limits and lets no markup of
// others through, whatever the names are.
func FuzzSlackBlocks(f *testing.F) {
	f.Add(hostile, hostile, hostile)
	f.Add(strings.Repeat("&", 5000), strings.Repeat("`", 5000), strings.Repeat("SELECT <1>\n", 900))
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, name, sentence, sql string) {
		a := example(plumbline.SeverityPage)
		a.Labels[plumbline.LabelModel], a.Labels[plumbline.LabelDeploy], a.Labels[plumbline.LabelSLO] = name, name, name
		for _, key := range []string{plumbline.AnnotationSummary, plumbline.AnnotationWindows, plumbline.AnnotationPeriod, "description"} {
			a.Annotations[key] = sentence
		}
		a.Annotations[plumbline.AnnotationSQL] = sql
		var features []alerting.FeatureShift
		for range 9 {
			features = append(features, alerting.FeatureShift{Feature: plumbline.Feature(name), PSI: 1, Share: 0.1, Before: sentence, After: sentence})
		}
		text := alerting.NewText([]alerting.Alert{a, a, a, a}, plumbline.OwnerEntry{Name: plumbline.Owner(name), Team: sentence},
			alerting.Explanation{Features: features, Deploy: alerting.DeployInfo{Version: sentence, By: sentence, Commit: sentence, Previous: plumbline.DeployHash(name)}}, nil, noon)
		checkBlocks(t, text)
		event := pagerduty.NewEvent("trigger", routingKey, "", text)
		if n := utf8.RuneCountInString(event.Payload.Summary); n == 0 || n > 1024 || event.Payload.Source == "" {
			t.Errorf("PagerDuty summary of %d characters, source %q", n, event.Payload.Source)
		}
	})
}

// TestFirstScreenWithTheWorstNames fills every part of a page to the brim, with
// names that grow fivefold when they are escaped.
func TestFirstScreenWithTheWorstNames(t *testing.T) {
	for name, worst := range map[string]string{
		"escapes": strings.Repeat("&", 256), "markup": strings.Repeat("<!channel>`*", 30), "wide": strings.Repeat("界", 256), "amp": strings.Repeat("&x", 33), "lines": strings.Repeat("a\n", 200), "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			var alerts []alerting.Alert
			for _, windows := range []string{"1h/5m", "6h/30m", "1d/2h", worst} {
				a := example(plumbline.SeverityPage)
				for _, label := range []string{"alertname", plumbline.LabelModel, plumbline.LabelDeploy, plumbline.LabelSLO, plumbline.LabelObject} {
					a.Labels[label] = worst
				}
				for key := range a.Annotations {
					if _, number := map[string]bool{
						plumbline.AnnotationBurnRate: true, plumbline.AnnotationValue: true, plumbline.AnnotationLongValue: true, plumbline.AnnotationTarget: true,
						plumbline.AnnotationHighValue: true, plumbline.AnnotationBudgetLeft: true, plumbline.AnnotationThreshold: true,
					}[key]; !number {
						a.Annotations[key] = worst
					}
				}
				a.Annotations[plumbline.AnnotationDescription] = strings.Repeat(worst+"\n", 20)
				a.Annotations[plumbline.AnnotationWindows] = windows
				a.Annotations[plumbline.AnnotationDashboard] = "https://grafana.example/" + strings.Repeat("x", 700)
				alerts = append(alerts, a)
			}
			ex := alerting.Explanation{
				Quality: &alerting.QualityChange{Measure: worst, BeforeWhat: worst, AfterWhat: worst},
				Deploy:  alerting.DeployInfo{Version: worst, By: worst, Commit: worst, At: noon, Previous: plumbline.DeployHash(worst)},
			}
			ex.NoDrift = worst
			for _, window := range []string{"1h", "5m", worst} {
				ex.Windows = append(ex.Windows, alerting.WindowShare{Window: window, Bad: 0.5, Low: 0.4, High: 0.6, Events: 123456789012, What: worst})
			}
			for range 12 {
				ex.Features = append(ex.Features, alerting.FeatureShift{Feature: plumbline.Feature(worst), PSI: 123456789, Share: 0.123, Before: worst, After: worst})
				ex.Carriers = append(ex.Carriers, worst)
			}
			text := alerting.NewText(alerts, plumbline.OwnerEntry{Name: plumbline.Owner(worst), Team: worst}, ex, nil, noon)
			text.Acked = &alerting.Ack{By: worst, At: noon}
			checkBlocks(t, text)
			text.Acked, text.Missing, text.Description = nil, worst, strings.Repeat(worst, 40)
			checkBlocks(t, text)
			for i := range text.Burns {
				text.Burns[i].Rate = alerting.Known{} // the description is shown where no rate is
			}
			checkBlocks(t, text)
		})
	}
}

// A line that does not fit hides none that does.
func TestALongLineHidesNoOther(t *testing.T) {
	long := strings.Repeat("&", 200)
	ex := alerting.Explanation{Deploy: alerting.DeployInfo{Version: long, By: long, Commit: long, At: noon}}
	text := alerting.NewText([]alerting.Alert{example(plumbline.SeverityPage)}, plumbline.OwnerEntry{Name: "flights-oncall"}, ex, nil, noon)
	checkBlocks(t, text)
	raw, err := json.Marshal(slack.Blocks(text, slack.Buttons{}))
	for _, fact := range []string{"*Burning*", "*Alert since*", "*Owner*  `flights-oncall`", "…"} {
		if err != nil || !strings.Contains(string(raw), fact) {
			t.Errorf("%s is missing, %v: %s", fact, err, raw)
		}
	}
}

func checkBlocks(t *testing.T, text alerting.Text) {
	t.Helper()
	raw, err := json.Marshal(slack.Blocks(text, slack.Buttons{Shown: true, Gate: true}))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []struct {
		Type string
		Text struct {
			Type, Text string
			Verbatim   bool
		}
		Elements []struct {
			Text       struct{ Text string }
			Value, URL string
		}
	}
	if err := json.Unmarshal(raw, &blocks); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, b := range blocks {
		for _, e := range b.Elements {
			seen += utf8.RuneCountInString(e.Text.Text)
			if b.Type != "actions" || e.Text.Text == "" || len(e.Value) > 2000 || len(e.URL) > 3000 || len(b.Elements) > 25 {
				t.Errorf("a button over Slack's limits: %+v", e)
			}
		}
		if b.Type == "actions" {
			continue
		}
		shown := b.Text.Text
		for _, l := range text.Links {
			shown = strings.ReplaceAll(shown, "<"+strings.ReplaceAll(l.URL, "&", "&amp;")+"|"+l.Name+">", l.Name)
		}
		seen += utf8.RuneCountInString(shown)
		if strings.ContainsAny(shown, "<>") {
			t.Errorf("markup of others in %q", shown)
		}
		if b.Type == "header" && utf8.RuneCountInString(b.Text.Text) > 150 || utf8.RuneCountInString(b.Text.Text) > 3000 || b.Text.Text == "" {
			t.Errorf("a %s of %d characters", b.Type, utf8.RuneCountInString(b.Text.Text))
		}
		if b.Type == "section" && !b.Text.Verbatim {
			t.Error("a section is not verbatim: Slack would make links of it")
		}
	}
	if len(blocks) > 50 || seen > 2500 {
		t.Errorf("%d blocks, %d characters on the first screen", len(blocks), seen)
	}
}
