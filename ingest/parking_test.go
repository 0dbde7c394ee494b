package ingest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// heard keeps the notices.
type heard struct{ notices []Notice }

func (h *heard) Notice(_ context.Context, n Notice) error {
	h.notices = append(h.notices, n)
	return nil
}

func TestOnlyWhatNoRetryMendsParks(t *testing.T) {
	for _, c := range []struct {
		err   error
		parks bool
	}{
		{park("contradiction"), true},
		{fmt.Errorf("write: %w", park("contradiction")), true},
		{fmt.Errorf("assign: %w", &clickhouse.Exception{Code: 60}), true},
		{fmt.Errorf("assign: %w", &clickhouse.Exception{Code: 252}), false},
		{errReassign, false},
		{io.EOF, false},
	} {
		if cause, parks := parkCause(c.err); parks != c.parks || cause == nil {
			t.Errorf("%v parks: %t (%v), want %t", c.err, parks, cause, c.parks)
		}
	}
}

func TestParkedPartitionOfAnotherMemberIsNoLongerOurs(t *testing.T) {
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := new(heard)
	i := &Ingester{noticer: h, metrics: m, log: slog.New(slog.DiscardHandler)}
	for partition := range 3 {
		i.parkings.set(place{"labels", partition}, true)
	}
	i.parkings.set(place{"labels", 1}, false)
	// A rebalance leaves us partition 0, parked still, and takes partition 2.
	for range 2 {
		i.handedOver(t.Context(), map[place]bool{{"labels", 0}: true, {"predictions", 0}: true})
	}
	var objects []string
	for _, n := range h.notices {
		if n.Kind == NoticeUnparked {
			objects = append(objects, n.Object)
		}
	}
	if !slices.Equal(objects, []string{"labels/2"}) {
		t.Errorf("unparked %v, want labels/2 alone, once", objects)
	}
	if i.parkings.set(place{"labels", 0}, true) {
		t.Error("labels/0 is no longer known to be parked")
	}
}
