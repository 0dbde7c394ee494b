package alerting_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
			plumbline.AnnotationDashboard: "https://grafana.example/d/oncall?var-model=flight-delay&from=now-6h",
			plumbline.AnnotationPage:      "http://127.0.0.1:9300/models/flight-delay",
			plumbline.AnnotationSQL:       "SELECT 1 - sum(correct) / sum(labelled)\nFROM outcome_cells FINAL\nWHERE model = 'flight-delay' AND deploy_hash = '9c41d2e0'",
			plumbline.AnnotationBurnRate:  "4.12", plumbline.AnnotationValue: "38.1%", plumbline.AnnotationLongValue: "41.2%", plumbline.AnnotationShortValue: "40.3%", plumbline.AnnotationThreshold: "28%",
			plumbline.AnnotationTarget: "90%", plumbline.AnnotationWindows: "1h/5m", plumbline.AnnotationPeriod: "7d",
			plumbline.AnnotationCoverage: "74%",
		},
		StartsAt: noon.Add(-12 * time.Minute), EndsAt: noon.Add(4 * time.Minute),
	}
	if severity == plumbline.SeverityTicket {
		a.Annotations[plumbline.AnnotationWindows], a.Annotations[plumbline.AnnotationBurnRate] = "1d/2h", "1.8"
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
			golden(t, name+".slack.json", indented(t, slack.Blocks(text, slack.Buttons{})))
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

func TestThePageNamesWhatItMust(t *testing.T) {
	page := alerting.RenderText(texts(t)["page"])
	for _, want := range []string{
		"9c41d2e0", "distance: PSI 8.1", "median 569 → 412,000", "at least 38.1 % bad", "41.2 % over 1h", "40.3 % over 5m", "4.12 times too fast",
		"2026-11-21 11:48 UTC (for 12m)", "7d lasts 1d 16h", "82.1 %", "58.8 %", "74 %", "flights-oncall (Flights)",
		"https://runbooks.example/slo-burn", "https://grafana.example/", "SELECT 1 - sum(correct)", "over 2h",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
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
	}
	if err := json.Unmarshal(raw, &blocks); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, b := range blocks {
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
