package join

import (
	"maps"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/storage"
)

// bySegment are the labelled predictions by segment.
func bySegment(t *testing.T, db *storage.DB) map[string]int64 {
	t.Helper()
	sums := map[string]int64{}
	for c, n := range storedCells(t, db) {
		sums[c.segment] += n.labelled
	}
	return sums
}

// A prediction enters its segments with the first label that is joined after
// they were declared. Where a list changes, a label moves its prediction from the
// segment that it was in to that of now.
func TestSegmentsDeclaredLater(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	for _, id := range []string{"1", "2"} {
		w.append(row{model: "m", id: id, topic: "predictions", epoch: "e", ts: start, known: start, deploy: "a", stage: "production", class: "yes",
			segments: map[string]string{"region": "eu"}})
	}
	w.store("predictions/e/0", 2, true)
	regions := func(values ...string) segment.Declared {
		return segment.Declared{"m": {Segments: []segment.Segment{{Name: "region", Values: values}}}}
	}
	label := func(id string, declared segment.Declared) Verification {
		t.Helper()
		w.append(row{model: "m", id: id, topic: "labels", epoch: "e", ts: start, known: start.Add(time.Hour), class: "yes"})
		w.store("labels/e/0", 1, true)
		j := newJoin(t, db, 1000)
		j.cfg.Segments = declared
		drain(t, j)
		v, err := j.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for i, step := range []struct {
		id       string
		declared segment.Declared
		want     map[string]int64
		differ   bool // not every prediction has had a label since
	}{
		{"1", nil, map[string]int64{"": 1}, false},
		{"2", regions("us"), map[string]int64{"": 2, "region=other": 1}, true},
		{"1", regions("us"), map[string]int64{"": 2, "region=other": 2}, false},
		{"2", regions("us", "eu"), map[string]int64{"": 2, "region=other": 1, "region=eu": 1}, true},
		{"1", regions("us", "eu"), map[string]int64{"": 2, "region=eu": 2}, false},
		{"1", nil, map[string]int64{"": 2, "region=eu": 1}, true},
	} {
		v := label(step.id, step.declared)
		if got := bySegment(t, db); !maps.Equal(got, step.want) {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
		if v.Differ > 0 || v.Equal() == step.differ {
			t.Errorf("step %d: the batch oracle says %+v", i, v)
		}
	}
}
