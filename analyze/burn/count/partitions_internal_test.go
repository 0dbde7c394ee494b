package count

import (
	"testing"
	"time"
)

// What was read of partitions before nobody asked for long says nothing of now: a
// partition that it does not name may hold what was produced since.
func TestOldReadingsOfPartitionsAreForgotten(t *testing.T) {
	of, by := served{"m", "v2"}, partition{"b", 0}
	p := partitions{
		stored: map[partition]time.Time{}, coming: map[partition]time.Time{}, comingAt: origin,
		by: map[served]cameBy{of: {origin, []partition{by}}},
	}
	if got := p.storedTo(of, origin, origin); !got.Equal(origin) {
		t.Fatalf("of a partition in which nothing waited: %s", got)
	}
	p.asked = nil
	if err := p.look(t.Context(), nil, origin, origin); err != nil {
		t.Fatal(err)
	}
	p.by = map[served]cameBy{of: {origin, []partition{by}}} // as a new question reads it
	if got := p.storedTo(of, origin, origin.Add(24*time.Hour)); !got.IsZero() {
		t.Errorf("a day later it is said to be stored to %s", got)
	}
}
