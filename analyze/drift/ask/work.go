package ask

import (
	"fmt"
	"time"
)

// mostDays bounds the rollups that one question over HTTP may read, in days of
// one model and segment. A day against auto reads some 280, a day against
// sixteen quarters 1,500, and 400 days against five times as many 2,400.
const mostDays = 2500

// affordable returns a ParameterError if the question reads more than mostDays:
// of the window if even one reference of a day would do with a shorter one, else
// of the references.
func (q Question) affordable() error {
	window := q.To.Sub(q.From)
	days := q.days(window)
	if days <= mostDays {
		return nil
	}
	name := "reference"
	if q.days(day) <= mostDays {
		name = "window"
	}
	return ParameterError{Name: name, Err: fmt.Errorf("a window of %s with these references reads %d days of rollups, at most %d may be: write a shorter window, or fewer or shorter references", Length(window), days, mostDays)}
}

// days is how many days of rollups the question reads if its window has this
// length. What is read for why is read by deploy, hour and segment beside that.
func (q Question) days(window time.Duration) int {
	sides, past := wholeDays(window), 0
	for _, r := range q.References {
		sides += r.days(window)
		if r.Kind == Auto {
			sides += Reference{Kind: Training}.days(window)
			past = wholeDays(window)
			for _, c := range candidates() {
				past += c.days(window)
			}
			past *= pastWindows
		}
	}
	if q.Why {
		sides *= 2
	}
	return sides + past
}

// days is how many days of rollups the reference of a window reads. A training
// set counts as one, since it is imported within a few hours of rollups.
func (r Reference) days(window time.Duration) int {
	switch r.Kind {
	case PreviousDeploy:
		return wholeDays(defaultSliding)
	case Sliding:
		return wholeDays(r.Length)
	case SameHours:
		return int(r.Length/week) * wholeDays(window)
	case Range:
		return wholeDays(r.To.Sub(r.From))
	case Auto:
		most := 0
		for _, c := range candidates() {
			most = max(most, c.days(window))
		}
		return most
	}
	return 1
}

// wholeDays is the length in days, rounded up: a read of an hour costs about as
// much as one of a day, see "Cost" of docs/drift.md.
func wholeDays(d time.Duration) int { return int((d + day - 1) / day) }
