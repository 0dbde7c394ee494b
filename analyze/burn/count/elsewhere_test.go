package count

import (
	"context"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// served is a source of counts in which each indicator's deploys had their last event so
// many minutes ago, and many of them before.
func served(last map[plumbline.SLIID]map[plumbline.DeployHash]int) counts {
	return counts{
		cells: func(_ context.Context, group budgeting, slis []plumbline.SLIID, lengths []time.Duration, end time.Time, found map[key]map[time.Duration]cell) error {
			for _, sli := range slis {
				for deploy, ago := range last[sli] {
					k := key{of: budgeting{sli, group.slice, group.target}, deploy: deploy}
					found[k] = make(map[time.Duration]cell)
					for _, l := range lengths {
						if age := time.Duration(ago) * time.Minute; age <= l {
							found[k][l] = cell{count: burn.Count{Bad: 500, Total: 1000, Rows: 1000}, lastAt: end.Add(-age), last: burn.Count{Bad: 5, Total: 10, Rows: 10}}
						}
					}
				}
			}
			return nil
		},
		since: func(plumbline.SLIID) time.Time { return time.Time{} },
	}
}

// After a rollback the windows of the deploy that was are empty because the other
// serves; a composite's are once that is so of all of its parts that have deploys.
func TestWhoServesElsewhere(t *testing.T) {
	all := eventObjectives()[:2]
	latency, success := all[0].SLO.SLIID(), all[1].SLO.SLIID()
	whole := objective("whole", plumbline.SLI{Kind: plumbline.SLIComposite}, func(s *plumbline.SLO) {
		s.Parts = []plumbline.Part{{SLO: "latency", Weight: 3}, {SLO: "success", Weight: 1}}
	})
	short := pairs()[0].Short
	for name, tt := range map[string]struct {
		latency, success map[plumbline.DeployHash]int
		want             []string
	}{
		"both serve":           {map[plumbline.DeployHash]int{"v1": 1, "v2": 1}, map[plumbline.DeployHash]int{"v1": 1, "v2": 1}, nil},
		"rolled back":          {map[plumbline.DeployHash]int{"v1": 1, "v2": 30}, map[plumbline.DeployHash]int{"v1": 1, "v2": 30}, []string{"latency v2", "success v2", "whole v2"}},
		"the model is silent":  {map[plumbline.DeployHash]int{"v1": 30, "v2": 30}, map[plumbline.DeployHash]int{"v1": 30, "v2": 30}, nil},
		"one part still comes": {map[plumbline.DeployHash]int{"v1": 1, "v2": 30}, map[plumbline.DeployHash]int{"v1": 1, "v2": 1}, []string{"latency v2"}},
		"a part of no deploy":  {map[plumbline.DeployHash]int{"v1": 1, "v2": 30}, map[plumbline.DeployHash]int{"": 1}, []string{"latency v2", "whole v2"}},
	} {
		found, err := evaluateAt(t.Context(), append(slices.Clone(all), whole), origin, served(map[plumbline.SLIID]map[plumbline.DeployHash]int{latency: tt.latency, success: tt.success}))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range found {
			if slices.Contains(e.Counted[0].Elsewhere, short) {
				got = append(got, string(e.Objective.SLO.Name)+" "+string(e.Deploy))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
