package ingest

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestLagCountsToWhatIsStored follows a partition through batches, an outage that ends
// a session, control records and a topic that is made again.
func TestLagCountsToWhatIsStored(t *testing.T) {
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	p := newProgress(m, source{Topic: "t"}, func() time.Time { return clock })
	want := func(what string, lag, age float64) {
		t.Helper()
		if gotLag, gotAge := testutil.ToFloat64(p.lag), testutil.ToFloat64(p.age); gotLag != lag || gotAge != age {
			t.Errorf("%s: lag %v and age %v, want %v and %v", what, gotLag, gotAge, lag, age)
		}
	}
	p.restart()
	p.stores(100)
	p.begins(100)
	p.fetches(150, 150)
	want("fetched", 50, 0)
	clock = clock.Add(12 * time.Second)
	p.begins(150)
	p.fetches(170, 200)
	want("ClickHouse hangs", 100, 12)
	p.stores(150)
	want("the first batch is stored", 50, 0)
	clock = clock.Add(3 * time.Second)
	p.refresh()
	want("the second waits", 50, 3)

	p.restart()
	clock = clock.Add(time.Second)
	p.stores(150)
	want("a session after an error", 50, 4)
	p.begins(150)
	p.fetches(160, 200)
	p.stores(160)
	want("not all that was fetched before is stored again", 40, 4)
	p.begins(160)
	p.fetches(200, 200)
	p.stores(198)
	want("all but two control records", 0, 0)
	p.fetches(203, 203)
	want("control records alone", 0, 0)

	p.begins(203)
	p.fetches(300, 300)
	p.restart()
	clock = clock.Add(time.Second)
	p.stores(0)
	p.fetches(0, 10)
	want("a topic that was made again", 10, 1)
	p.begins(0)
	p.fetches(10, 10)
	p.stores(10)
	want("and is stored", 0, 0)
	if allocs := testing.AllocsPerRun(100, func() { p.begins(10); p.fetches(11, 11); p.stores(11) }); allocs != 0 {
		t.Errorf("%v allocations a batch", allocs)
	}
}

// TestAgeOutlivesASession that ended before a fetch was over, as when the first record
// cannot be decoded yet: at the start, and behind the end that Kafka had last.
func TestAgeOutlivesASession(t *testing.T) {
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, before := range []int64{-1, 0, 7} {
		clock := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
		p := newProgress(m, source{Topic: "t"}, func() time.Time { return clock })
		p.restart()
		if before >= 0 {
			p.stores(before)
			p.fetches(before, before)
		}
		offset := max(before, 0)
		for range 2 {
			p.begins(offset)
			clock = clock.Add(3 * time.Second)
			p.restart()
			p.stores(offset)
		}
		if age := testutil.ToFloat64(p.age); age != 6 {
			t.Errorf("before %d: age %v in the third session, want 6", before, age)
		}
		p.begins(offset)
		p.fetches(offset+5, offset+5)
		p.stores(offset + 5)
		if age := testutil.ToFloat64(p.age); age != 0 {
			t.Errorf("before %d: age %v of what is stored", before, age)
		}
	}
}

// TestLagOfAGroupThatHasCommitted is known before a session could say what is stored.
func TestLagOfAGroupThatHasCommitted(t *testing.T) {
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newProgress(m, source{Topic: "t"}, time.Now)
	if old, known := p.stale(lagEvery); !old || known {
		t.Errorf("old %v, known %v", old, known)
	}
	p.ends(50, 20)
	if lag := testutil.ToFloat64(p.lag); lag != 30 {
		t.Errorf("lag %v", lag)
	}
	if old, known := p.stale(lagEvery); old || !known {
		t.Errorf("old %v, known %v", old, known)
	}
}
