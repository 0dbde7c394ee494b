package main

import (
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/erase"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// What an entity was not looked for among is said, so that nobody takes what was
// found for all there is.
func TestWhatAnEntityLeavesIsSaid(t *testing.T) {
	entity := erase.Request{Model: "fraud", Feature: "customer", Value: "c-81"}
	sampled := entity
	sampled.Policy = privacy.Policy{Model: "fraud", RawRate: 0.1}
	for _, tt := range []struct {
		name    string
		request erase.Request
		report  erase.Report
		says    []string
		never   string
	}{
		{"entity", entity, erase.Report{Orphans: 3, Share: 1}, []string{"no prediction is stored that has this value", "- labels: 3 identifiers of fraud", "until raw retention ends: --prediction-id"}, "raw_rate"},
		{"sampled", sampled, erase.Report{Orphans: 90, Share: 1}, []string{"- labels: 90 identifiers of fraud", "since raw_rate stores a share of 0.1 of its predictions"}, "about"},
		{"many", sampled, erase.Report{Orphans: 9_000_000, Share: 0.1}, []string{"- labels: about 9000000 identifiers"}, "c-81"},
		{"identifier", erase.Request{Model: "fraud", IDs: []string{"p"}}, erase.Report{}, []string{"no row is stored of whom you named"}, "- labels"},
	} {
		var out strings.Builder
		erased(&out, tt.request, tt.report)
		orphans(&out, tt.request, tt.report)
		for _, want := range tt.says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not said:\n%s", tt.name, want, out.String())
			}
		}
		if strings.Contains(out.String(), tt.never) {
			t.Errorf("%s: %q is said:\n%s", tt.name, tt.never, out.String())
		}
	}
}

// No retention is promised of the embedded broker.
func TestHowLongKafkaKeeps(t *testing.T) {
	for _, tt := range []struct {
		kept     time.Duration
		embedded string
		want     string
	}{
		{48 * time.Hour, "", "for 48h0m0s (retention.ms)"},
		{-1, "", "for ever (retention.ms is -1)"},
		{48 * time.Hour, "/data/kafka", "until you delete /data/kafka: the embedded broker may drop what is older than 48h0m0s (retention.ms), or keep it"},
		{-1, "/data/kafka", "until you delete /data/kafka"},
	} {
		if got := keptText(tt.kept, tt.embedded); got != tt.want {
			t.Errorf("%s, %q: %q, want %q", tt.kept, tt.embedded, got, tt.want)
		}
	}
}

func TestTopicsInWhichAModelsEventsCanStand(t *testing.T) {
	predictions, labels := []decode.Kind{decode.KindPredictions}, []decode.Kind{decode.KindLabels}
	sources := []decode.Source{
		{Topic: "predictions", Holds: predictions}, {Topic: "labels", Holds: labels},
		{Topic: "deployments", Holds: []decode.Kind{decode.KindDeployments}}, {Topic: "kpis", Holds: []decode.Kind{decode.KindKPIs}},
		{Topic: "own", Holds: labels, Model: "fraud"}, {Topic: "others", Holds: predictions, Model: "churn"},
		{Topic: "mixed", Holds: decode.Kinds()},
	}
	if got := strings.Join(topicsOf(sources, "fraud"), " "); got != "predictions labels own mixed" {
		t.Errorf("topics %q", got)
	}
}
