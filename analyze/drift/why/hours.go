package why

import (
	"time"
)

// Run is a contiguous run of hours.
type Run struct {
	// From and To bound it in event time, To exclusive.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Share is its portion of the distance, Traffic of the window's requests.
	Share   float64 `json:"share"`
	Traffic float64 `json:"traffic"`
	// Whole says that no run carries much more than its traffic: the change lies
	// all over the window, which From and To then bound.
	Whole bool `json:"whole"`
}

// leastExcess is by how much a run's share must exceed its traffic to be named.
const leastExcess = 0.1

// busiest returns the run of slots whose share exceeds its traffic most, which
// is where a change that began and ended within the window lies: the maximum
// subarray of share - traffic (Bentley 1984). starts are the slots' beginnings,
// in order.
func busiest(parts []Part, starts []time.Time, slots Parts) Run {
	if len(parts) == 0 {
		return Run{}
	}
	var best, sum float64
	from, bestFrom, bestTo := 0, 0, 0
	for i, p := range parts {
		if sum <= 0 {
			sum, from = 0, i
		}
		if sum += p.Share - p.Traffic; sum > best {
			best, bestFrom, bestTo = sum, from, i+1
		}
	}
	if best < leastExcess {
		bestFrom, bestTo = 0, len(parts)
	}
	run := Run{From: starts[bestFrom], To: starts[bestTo-1].Add(slots.SlotLength), Whole: best < leastExcess}
	if end := slots.End; !end.IsZero() && run.To.After(end) {
		run.To = end
	}
	for _, p := range parts[bestFrom:bestTo] {
		run.Share += p.Share
		run.Traffic += p.Traffic
	}
	return run
}
