package benchdrift

import (
	"slices"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// The rollups stand for the events they say, and the naive statement finds every
// feature of the raw rows.
func TestWorld(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB
	w := World{Model: "m", Numeric: 5, Categorical: 2, Start: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Before: 3, After: 2, PerHour: 10_000, Training: 5000}
	if err := w.Store(t.Context(), db.Conn()); err != nil {
		t.Fatal(err)
	}
	window, err := drift.Reader{Conn: db.Conn()}.Read(t.Context(), drift.Query{Model: w.Model, Stage: "production", From: w.Start, To: w.End()})
	if err != nil {
		t.Fatal(err)
	}
	if len(window.Features) != 7 || float64(window.Requests) != .999*w.Events() {
		t.Errorf("%d features, %d requests of %v events", len(window.Features), window.Requests, w.Events())
	}
	for f, s := range window.Features {
		if n := float64(s.Present()); n < .99*w.Events() || n > 1.01*w.Events() {
			t.Errorf("%s: %v of %v events", f, n, w.Events())
		}
	}
	if median := window.Features["n01"].Numbers.Quantile(.5); median < 19.5 || median > 20.7 {
		t.Errorf("the median of lognormal(3, 1) is %v, not 20.1", median)
	}
	if rows, buckets, err := w.Size(t.Context(), db.Conn()); err != nil || rows != 6*6 || buckets < 1000 {
		t.Errorf("%d rows, %d buckets, %v", rows, buckets, err)
	}
	wide := World{Model: "wide", Numeric: 5, Start: w.Start, Before: 2, PerHour: 1_000_000_000_000, Training: 5000}
	if err := wide.Store(t.Context(), db.Conn()); err != nil {
		t.Fatal(err)
	}
	// Of whole numbers from 1 to 100 each has ten thousand million an hour.
	window, err = drift.Reader{Conn: db.Conn()}.Read(t.Context(), drift.Query{Model: wide.Model, Stage: "production"})
	if h := window.Features["n04"].Numbers; err != nil || len(h.Counts) != 100 || slices.Min(h.Counts) < 2e10-10 || slices.Max(h.Counts) > 2e10+10 {
		t.Errorf("%v, %v", h, err)
	}
	if err := w.StoreRaw(t.Context(), db.Conn(), 2000); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Naive(t.Context(), db.Conn()); err != nil || n != 5 {
		t.Errorf("%d features from raw rows, %v", n, err)
	}
	hour := drift.Query{Model: w.Model, Stage: "production", From: w.End().Add(-time.Hour), To: w.End()}
	before, err := drift.Reader{Conn: db.Conn()}.Read(t.Context(), hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Late(t.Context(), db.Conn(), time.Hour); err != nil {
		t.Fatal(err)
	}
	after, err := drift.Reader{Conn: db.Conn()}.Read(t.Context(), hour)
	if n, m := before.Features["n00"].Present(), after.Features["n00"].Present(); err != nil || m != n+1 {
		t.Errorf("%d values and a late one are %d, %v", n, m, err)
	}
}
