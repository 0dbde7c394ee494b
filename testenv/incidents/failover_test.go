package incidents

import (
	"testing"
	"time"
)

// A failover lasts from the loss of a duty until those who run have them all,
// whoever else is lost or says something in between.
func TestFailovers(t *testing.T) {
	now := time.Unix(0, 0)
	f := newFailovers(8, func() time.Time { return now })
	at := func(second int) { now = time.Unix(int64(second), 0) }
	f.says("a", 4)
	f.says("b", 4)
	at(10)
	f.lost("a")
	at(11)
	f.says("b", 0)
	f.lost("b") // it has none: nothing begins anew
	at(12)
	f.says("a", 4)
	at(13)
	f.says("b", 4)
	at(20)
	f.lost("b")
	at(21)
	f.says("a", 8)
	at(30)
	f.lost("c")
	f.says("a", 8)
	got := f.figures("x")
	if len(got) != 3 || got[0].Value != 2 || got[1].Value != 3 || got[2].Value != 3 || got[1].Name != "x_failover_median" {
		t.Errorf("%+v, want failovers of 3 s and 1 s", got)
	}
	if got := newFailovers(8, time.Now).figures("x"); got != nil {
		t.Errorf("nothing happened and %+v is told", got)
	}
}
