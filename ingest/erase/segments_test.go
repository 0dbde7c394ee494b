package erase_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/erase"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/ingest/segment"
)

// What remains of a person stays in the segments it was counted in, of which
// only those that are declared are told; a cell that is summed again is the same.
func TestSegmentsStay(t *testing.T) {
	w := newWorld(t)
	cfg := join.DefaultConfig()
	cfg.Segments = segment.Declared{"m": {Segments: []segment.Segment{{Name: "region", Values: []string{"eu"}}}}}
	j, err := join.New(cfg, join.Dependencies{DB: w.env.DB})
	if err != nil {
		t.Fatal(err)
	}
	step := func() {
		t.Helper()
		if p, err := j.Step(t.Context()); err != nil || p.Labels == 0 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	// ann is delivered twice within a minute: what counts lies in no segment.
	for i, p := range []struct{ id, segments string }{{"ann", "map()"}, {"ann", "map('region', 'eu')"}, {"ben", "map('region', 'of ben')"}, {"eve", "map('region', 'eu')"}} {
		stamp := at.Add(time.Duration(i) * time.Second)
		w.exec(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known, predicted, segments, _topic, _epoch, _offset)
SELECT 'm', 'd', 'production', ?, ?, ?, 'yes', `+p.segments+`, 'p', 'e', ?`, p.id, stamp, stamp, i)
		w.label(int64(i), p.id, "yes")
	}
	w.complete("p", "predictions", 0, 3)
	w.complete("l", "labels", 0, 3)
	step()
	labelled := func(when string) {
		t.Helper()
		for segment, want := range map[string]uint64{"": 3, "region=eu": 1, "region=other": 1} {
			if n := w.count(fmt.Sprintf("SELECT toUInt64(sum(labelled)) FROM outcome_cells FINAL WHERE segment = '%s'", segment)); n != want {
				t.Errorf("%s: %d labelled in %q, want %d", when, n, segment, want)
			}
		}
	}
	labelled("joined")
	w.erase(erase.Request{IDs: []string{"ann"}})
	w.erase(erase.Request{IDs: []string{"ben"}})
	labelled("erased")
	w.label(4, "eve", "yes")
	w.complete("l", "labels", 4, 4)
	step()
	labelled("summed again")
	if n := w.count("SELECT count() FROM outcomes WHERE startsWith(prediction_id, 'erased/') AND arrayExists(s -> s NOT IN ('region=eu', 'region=other'), segments)"); n != 0 {
		t.Errorf("%d rows of what remains name a segment that nobody declared", n)
	}
}

// Two persons of other segments whose labels share a Kafka record, and whose
// identifiers fall into one of the 256 parts, are erased in one run.
func TestPersonsOfOneRecordStayInTheirSegments(t *testing.T) {
	w := newWorld(t)
	cfg := join.DefaultConfig()
	cfg.Segments = segment.Declared{"m": {Segments: []segment.Segment{{Name: "region", Values: []string{"eu", "us"}}}}}
	j, err := join.New(cfg, join.Dependencies{DB: w.env.DB})
	if err != nil {
		t.Fatal(err)
	}
	twin := fmt.Sprint("p", w.count("SELECT number FROM numbers(1, 100000) WHERE sipHash64(concat('p', toString(number))) % 256 = sipHash64('p0') % 256 LIMIT 1"))
	for i, p := range []struct{ id, region string }{{"p0", "eu"}, {twin, "us"}} {
		w.exec(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known, predicted, segments, _topic, _epoch, _offset)
SELECT 'm', 'd', 'production', ?, ?, ?, 'yes', map('region', ?), 'p', 'e', ?`, p.id, at, at, p.region, i)
		w.label(0, p.id, "yes")
	}
	w.complete("p", "predictions", 0, 1)
	w.complete("l", "labels", 0, 0)
	if _, err := j.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.erase(erase.Request{IDs: []string{"p0", twin}})
	for _, region := range []string{"eu", "us"} {
		if n := w.count("SELECT toUInt64(sum(labelled)) FROM outcomes FINAL WHERE has(segments, 'region=" + region + "')"); n != 1 {
			t.Errorf("%d labelled remain in %s, want 1", n, region)
		}
	}
	if n := w.count("SELECT toUInt64(sum(labelled)) FROM outcomes FINAL"); n != 2 {
		t.Errorf("%d labelled remain, want 2", n)
	}
}
