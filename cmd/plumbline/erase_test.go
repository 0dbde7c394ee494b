package main

import (
	"strings"
	"testing"

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
