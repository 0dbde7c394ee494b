package main

import (
	"cmp"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// alarm is what one window pair of one objective, by one clock, would have done.
type alarm struct {
	slo plumbline.SLOName
	burn.Replayed
}

// tally counts the incidents that alarms make: one of a deploy and objective lasts for
// as long as any pair of it alarms, by either clock, and is a page if any of them is
// one at any time. So people are told of one thing once, whatever number of pairs saw
// it. In the service an incident lasts longer, by keep_firing_for and by the pause
// between two notices, so that two in short succession here are one there.
func tally(alarms []alarm) (incidents, pages int) {
	type identity struct {
		slo    plumbline.SLOName
		deploy plumbline.DeployHash
	}
	type condition struct { // without the severity: a page may become a ticket while it holds
		long, short time.Duration
		factor      float64
		clock       string
	}
	type incident struct {
		holds map[condition]bool
		paged bool
	}
	alarms = slices.Clone(alarms)
	slices.SortStableFunc(alarms, func(a, b alarm) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return cmp.Compare(btoi(b.Fires), btoi(a.Fires)) // what follows at once goes on
	})
	open := make(map[identity]*incident)
	for _, a := range alarms {
		of, by := identity{a.slo, a.Deploy}, condition{a.Pair.Long, a.Pair.Short, a.Pair.Factor, a.Clock}
		i := open[of]
		switch {
		case a.Fires && i == nil:
			i = &incident{holds: make(map[condition]bool)}
			open[of] = i
			incidents++
			fallthrough
		case a.Fires:
			i.holds[by] = true
			if a.Severity == plumbline.SeverityPage && !i.paged {
				i.paged = true
				pages++
			}
		case i != nil:
			delete(i.holds, by)
			if len(i.holds) == 0 {
				delete(open, of)
			}
		}
	}
	return incidents, pages
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
