package rules

import (
	"maps"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline"
)

// A model whose labels stay away is told of once, as loudly as its loudest SLO.
func TestLabelsThatStayAwayAreToldOnce(t *testing.T) {
	quality := func(name, model string) plumbline.SLO {
		return plumbline.SLO{Name: plumbline.SLOName(name), Model: plumbline.Model(model), Owner: "o", Target: 0.9, Period: 30 * day}
	}
	shadow := quality("b", "shadowed")
	shadow.Shadow = true
	declared := plumbline.SLO{Name: "y", Model: "declared", Owner: "o", Target: 0.95, Period: 30 * day, SLI: plumbline.SLI{Kind: plumbline.SLILabelArrival, Within: day}}
	latency := plumbline.SLO{Name: "l", Model: "fast", Owner: "o", Target: 0.99, Period: 30 * day, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: 200}}
	content, err := Generate([]plumbline.SLO{quality("d", "two"), quality("c", "two"), quality("e", `a"{{wkward`), shadow, quality("x", "declared"), declared, latency}, linked())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, g := range mustLoad(t, content).Groups {
		for _, r := range g.Rules {
			if r.Alert != plumbline.AlertLabelsSilent {
				continue
			}
			if g.Name != GroupPrefix+r.Labels[plumbline.LabelSLO] || r.Labels[plumbline.LabelSeverity] != plumbline.SeverityPage || r.Labels[plumbline.LabelOwner] != "o" || !strings.HasSuffix(r.Annotations[plumbline.AnnotationRunbook], "label-delay.md") {
				t.Errorf("in %s: %+v", g.Name, r)
			}
			got[r.Labels[plumbline.LabelSLO]] = r.Expr
		}
	}
	want := map[string]string{"c": `model:labels:blind{model="two"} > 0`, "e": `model:labels:blind{model="a\"{{wkward"} > 0`}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Who would only file a ticket of a burn is not paged of labels, and the SLO that
// pages is the one that tells.
func TestLabelsThatStayAwayAreAsLoudAsBurns(t *testing.T) {
	of := func(name, severity string) plumbline.Objective {
		return plumbline.Objective{SLO: plumbline.SLO{Name: plumbline.SLOName(name), Model: "m"}, Pairs: []plumbline.WindowPair{{Severity: severity}}}
	}
	ticket, page := of("a", plumbline.SeverityTicket), of("b", plumbline.SeverityPage)
	if got := loudest([]plumbline.Objective{ticket}); !maps.Equal(got, map[plumbline.SLOName]string{"a": plumbline.SeverityTicket}) {
		t.Errorf("of a ticket alone: %v", got)
	}
	if got := loudest([]plumbline.Objective{ticket, page, of("c", plumbline.SeverityPage)}); !maps.Equal(got, map[plumbline.SLOName]string{"b": plumbline.SeverityPage}) {
		t.Errorf("of both: %v", got)
	}
}
