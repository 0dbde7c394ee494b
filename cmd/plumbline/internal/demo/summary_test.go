package demo

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
)

// story is a demo whose every part came true.
func story() (*demo, summary) {
	d := &demo{
		facts: flights.Facts{Counts: flights.Counts{Predictions: 60, Labels: 39, Deployments: 1}},
		about: flights.About{Good: "good1", Faulty: "bad2", BrokenFeature: "distance"},
	}
	return d, summary{
		Produced: 100, Stored: 100, PredictionRows: 60, RolledUp: 60, LabelsJoined: 39, LabelsOracle: 39, labelsMost: 40,
		AccuracyBefore: 0.8, AccuracyAfter: 0.3, Pages: 1, PageDeploy: "bad2", PageTopFeature: "distance",
	}
}

func TestTheStoryIsChecked(t *testing.T) {
	d, s := story()
	if err := s.check(d); err != nil {
		t.Fatalf("a story that came true: %v", err)
	}
	for what, test := range map[string]struct {
		change func(*summary)
		want   string
	}{
		"lost":       {func(s *summary) { s.Stored = 99 }, "99 events are stored, the oracle produced 100"},
		"dead":       {func(s *summary) { s.DeadLettered = 1 }, "1 good events became dead letters"},
		"rollups":    {func(s *summary) { s.RolledUp = 61 }, "60 predictions are stored and 61 rolled up"},
		"doubled":    {func(s *summary) { s.Stored = 101 }, "101 events are stored, only 100 were produced"},
		"unjoined":   {func(s *summary) { s.LabelsJoined = 38 }, "38 labels are joined, the oracle joined 39"},
		"overjoined": {func(s *summary) { s.LabelsJoined = 41 }, "41 labels are joined, the oracle joined 39"},
		"drop":       {func(s *summary) { s.AccuracyAfter = 0.66 }, "less than 15 points"},
		"early":      {func(s *summary) { s.PagesBefore = 1 }, "1 pages are about another deploy"},
		"no page":    {func(s *summary) { s.Pages = 0 }, "no page"},
		"deploy":     {func(s *summary) { s.PageDeploy = "good1" }, "the page names deploy good1, the fault is in bad2"},
		"feature":    {func(s *summary) { s.PageTopFeature = "hour" }, `blames "hour", the broken feature is "distance"`},
		"unblamed":   {func(s *summary) { s.PageTopFeature = "" }, `blames ""`},
		"no labels":  {func(s *summary) { s.AccuracyBefore, s.AccuracyAfter = 0, 0 }, "less than 15 points"},
	} {
		d, s := story()
		test.change(&s)
		if err := s.check(d); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
	d, s = story()
	s.Stored, s.PageDeploy = 1, "other"
	if err := s.check(d); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two things that did not come true: %v", err)
	}
}

// The line is one line of JSON with the names that the issue asks for.
func TestTheLineHasEveryFigure(t *testing.T) {
	_, s := story()
	line, err := json.Marshal(s)
	if err != nil || bytes.ContainsRune(line, '\n') {
		t.Fatalf("%s, %v", line, err)
	}
	var figures map[string]any
	if err := json.Unmarshal(line, &figures); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"events_produced", "events_stored", "predictions_rolled_up", "labels_joined", "accuracy_before", "accuracy_after",
		"seconds_from_first_burning_event_to_page", "pages_sent", "dashboards_written", "peak_memory_mb",
	} {
		if _, ok := figures[name]; !ok {
			t.Errorf("the line has no %s", name)
		}
	}
}

// Every notice is kept; only one waits in the slot, and nobody blocks.
func TestConsoleKeepsEveryNotice(t *testing.T) {
	c := newConsole()
	for _, deploy := range []plumbline.DeployHash{"a", "b"} {
		result, err := c.Notifier(plumbline.OwnerEntry{}).Notify(t.Context(), alerting.Notice{Text: alerting.Text{Deploy: deploy}})
		if err != nil || !result.Sent {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	<-c.arrived
	if all := c.all(); len(all) != 2 || all[0].text.Deploy != "a" || all[1].text.Deploy != "b" {
		t.Errorf("kept %+v", all)
	}
}

// On a Kafka and a ClickHouse of others the demo has names of its own, on its
// own ones the usual.
func TestStandApart(t *testing.T) {
	usual := app.DefaultConfig()
	for _, test := range []struct {
		brokers, dsn            string
		apartKafka, apartTables bool
	}{{"", "", false, false}, {"k:9092", "", true, false}, {"", "http://c:8123", false, true}, {"k:9092", "http://c:8123", true, true}} {
		cfg := app.DefaultConfig()
		cfg.ClickHouse.DSN = test.dsn
		if test.brokers != "" {
			cfg.Kafka.Brokers = []string{test.brokers}
		}
		d := &demo{started: start, Options: Options{Text: new(bytes.Buffer)}}
		d.standApart(&cfg)
		got, was := cfg.Ingest.Topics, usual.Ingest.Topics
		apart := got.Predictions != was.Predictions && got.Labels != was.Labels && got.Deployments != was.Deployments && got.DeadLetters != was.DeadLetters && cfg.Ingest.Group != usual.Ingest.Group
		if apart != test.apartKafka || !apart && got != was {
			t.Errorf("%+v: topics %+v, group %s", test, got, cfg.Ingest.Group)
		}
		if (cfg.ClickHouse.Database != usual.ClickHouse.Database) != test.apartTables {
			t.Errorf("%+v: database %s", test, cfg.ClickHouse.Database)
		}
		if err := cfg.Ingest.Validate(); err != nil {
			t.Error(err)
		}
		if err := cfg.ClickHouse.Validate(); err != nil {
			t.Error(err)
		}
	}
}
