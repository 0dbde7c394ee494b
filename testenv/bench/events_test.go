package bench

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestEventsAreValidAndRepeat(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	a, b := NewEvents(7, start, 1000), NewEvents(7, start, 1000)
	size := 0
	const n = 1000
	ids := map[string]bool{}
	for i := range n {
		event := a.Next()
		text := event.AppendJSON(nil)
		if again := b.Next().AppendJSON(nil); !bytes.Equal(text, again) {
			t.Fatalf("event %d differs: %s, %s", i, text, again)
		}
		var got struct {
			ID       string         `json:"prediction_id"`
			TS       int64          `json:"ts"`
			Features map[string]any `json:"features"`
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if len(got.Features) != Numbers+Categories || got.TS != start.UnixMilli()+int64(i) || ids[got.ID] {
			t.Fatalf("event %d: %s", i, text)
		}
		ids[got.ID] = true
		size += len(text)
	}
	if mean := size / n; mean < 600 || mean > 640 {
		t.Errorf("an event has %d bytes on average, want about 619", mean)
	}
}
