package web

import (
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// A budget of which nothing was said lately has no data, and of those that were judged
// the one with least left stands on the first page.
func TestBudgets(t *testing.T) {
	objective := func(name plumbline.SLOName) plumbline.Objective {
		return plumbline.Objective{SLO: plumbline.SLO{Name: name, Model: "m", Period: 30 * 24 * time.Hour}}
	}
	cfg := Config{Objectives: []plumbline.Objective{objective("kept"), objective("near"), objective("spent"), objective("young"), objective("silent")}}
	views := cfg.budgets("m", []budgetRow{
		{Model: "m", SLO: "kept", Left: 0.9, Verdict: plumbline.VerdictOK}, {Model: "m", SLO: "near", Left: 0.2, Verdict: plumbline.VerdictOK},
		{Model: "m", SLO: "spent", Left: -2, Verdict: plumbline.VerdictBreach}, {Model: "m", SLO: "young", Left: -9, Verdict: plumbline.VerdictInsufficient},
		{Model: "other", SLO: "silent", Left: 1, Verdict: plumbline.VerdictOK},
	})
	var got []string
	for _, v := range views {
		got = append(got, v.SLO+" "+string(v.State)+" "+percent(v.Left))
	}
	if want := "spent breach -200.0 %, young missing -900.0 %, silent missing no data, near near 20.0 %, kept ok 90.0 %"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	if least := leastLeft(views); least == nil || least.SLO != "spent" || !least.Spent() {
		t.Errorf("least left is %+v", least)
	}
	if least := leastLeft(views[1:3]); least != nil {
		t.Errorf("of what was not judged least is %+v", least)
	}
}
