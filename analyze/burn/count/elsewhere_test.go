package count

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/storage"
)

// servedBy is a source of counts in which each indicator's deploys had their last event so
// many minutes ago, and many of them before.
func servedBy(last map[plumbline.SLIID]map[plumbline.DeployHash]int) counts {
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
		since:    func(plumbline.SLIID) time.Time { return time.Time{} },
		storedTo: func(_ served, _, end time.Time) time.Time { return end },
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
		found, err := evaluateAt(t.Context(), append(slices.Clone(all), whole), origin, servedBy(map[plumbline.SLIID]map[plumbline.DeployHash]int{latency: tt.latency, success: tt.success}))
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

// came is traffic of one deploy by one partition, from so many minutes before origin to so
// many: an event every second, half of them failed, in a batch a minute, that is stored when
// the minute is over or, where they waited, at origin.
type came struct {
	model, deploy string
	partition     int
	from, to      int
	waited        bool
}

func (c came) store(tb testing.TB, db *storage.DB) {
	tb.Helper()
	for m := c.from; m > c.to; m-- {
		minute := origin.Add(-time.Duration(m) * time.Minute)
		known := minute.Add(59 * time.Second)
		stored := known
		if c.waited {
			stored = origin
		}
		first := minute.Unix()
		exec(tb, db, `INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, status, weight, half, known, _topic, _epoch, _partition, _offset)
SELECT '%s', '%s', 'production', toString(number), toDateTime64(number, 3, 'UTC'), if(number %% 2 = 0, 'timeout', 'ok'), 1, '', '%s', '%s', 'e', %d, number FROM numbers(%d, 60)`,
			c.model, c.deploy, stamp(known), c.model, c.partition, first)
		exec(tb, db, `INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, known_min, known_max, stored, ts_min, ts_max) VALUES
('%s', 'e', %d, %d, %d, 'predictions', 60, 60, '%s', '%s', '%s', '%s', '%s')`, c.model, c.partition, first, first+59, stamp(known), stamp(known), stamp(stored), stamp(minute), stamp(known))
	}
}

// A window of a deploy is served elsewhere once nothing of it can wait in the partitions it
// came by: one that stands still, or is behind, while that of another deploy flows, ends no
// page, and what waits in it is counted when it comes.
func TestWhatWaitsIsNotServedElsewhere(t *testing.T) {
	db := startDB(t)
	const stop = 8
	clock := origin.Add(5 * time.Second)
	for _, c := range []came{
		{model: "still", deploy: "v1", partition: 0, from: 20}, {model: "still", deploy: "v2", partition: 1, from: 20, to: stop},
		{model: "behind", deploy: "v1", partition: 0, from: 20}, {model: "behind", deploy: "v2", partition: 1, from: 20, to: stop},
		{model: "behind", deploy: "v1", partition: 1, from: stop, to: stop - 2, waited: true},
		{model: "back", deploy: "v1", partition: 0, from: 20}, {model: "back", deploy: "v2", partition: 1, from: 20, to: stop}, {model: "back", deploy: "v1", partition: 1, from: stop},
		// What another deploy came by has no part in it, even of the same topic.
		{model: "back", deploy: "v0", partition: 2, from: 20, to: 18},
	} {
		c.store(t, db)
	}
	var objectives []plumbline.Objective
	for _, model := range []string{"still", "behind", "back"} {
		objectives = append(objectives, objective(model, plumbline.SLI{Kind: plumbline.SLISuccess}, func(s *plumbline.SLO) { s.Model = plumbline.Model(model) }))
	}
	counter := New(DefaultConfig(), db, nil, nil)
	book := NewBook(counter)
	book.now = func() time.Time { return clock }
	look := func() (said []string) {
		t.Helper()
		count(t, counter, objectives, clock)
		found, err := book.At(t.Context(), objectives, clock.Truncate(time.Minute).Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			if c := e.Counted[0]; e.Deploy == "v2" {
				said = append(said, fmt.Sprint(e.Objective.SLO.Name, " ", c.Verdict, " ", c.Elsewhere))
			}
		}
		clock = clock.Add(countedBy)
		slices.Sort(said)
		return said
	}
	unknown := []string{"back missing []", "behind missing []", "still missing []"}
	for range 2 {
		if got := look(); !slices.Equal(got, unknown) {
			t.Errorf("before it is known what is stored: %q", got)
		}
	}
	if got, want := look(), []string{"back missing [5m0s]", "behind missing []", "still missing []"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	came{model: "still", deploy: "v2", partition: 1, from: stop, waited: true}.store(t, db)
	if got, want := look(), []string{"back missing [5m0s]", "behind missing []", "still breach []"}; !slices.Equal(got, want) {
		t.Errorf("when what waited is there: %q, want %q", got, want)
	}
}
