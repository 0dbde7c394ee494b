package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Stream is what one detector of drift watches, or one objective bounds. An objective
// may bound a distance from any reference: its Reference is empty.
type Stream struct {
	Model     plumbline.Model
	Segment   plumbline.Segment
	Feature   plumbline.Feature
	Reference string
	Measure   string
}

func (s Stream) claim() string {
	text := fmt.Sprintf("%s of %s against %s", s.Measure, s.Feature, cmp.Or(s.Reference, "any reference"))
	if s.Segment != "" {
		text += " in " + string(s.Segment)
	}
	return text
}

// holds reports whether a stream is the other, or is among what the other bounds.
func (s Stream) holds(other Stream) bool {
	if s.Reference == "" || other.Reference == "" {
		s.Reference, other.Reference = "", ""
	}
	return s == other
}

// Day is what the detector said of one closed day of a stream.
type Day struct {
	Stream
	Deploy plumbline.DeployHash
	// End is the end of the day, event time; Ticket says that a ticket was open.
	End    time.Time
	Ticket bool
	// Seen is when it was first said.
	Seen time.Time
}

// longestDrift bounds what one drift alarm claims: a ticket that stays open for a
// month is about its first week.
const longestDrift = 7 * 24 * time.Hour

// Drifts returns the alarms of the days of streams, each from the day that opened
// it to the one before the day that closed it. Days are ordered by stream, then
// by End. Of a stream whose first day has a ticket nobody knows since when, so
// that one is left out if its opening lies before since.
func Drifts(days []Day, since time.Time) []Alarm {
	var (
		all  []Alarm
		open *Alarm
		last Stream
	)
	for i, d := range days {
		if i == 0 || d.Stream != last {
			open, last = nil, d.Stream
		}
		switch {
		case !d.Ticket && open != nil:
			open.Closed, open.Open = d.Seen, false
			open = nil
		case d.Ticket && open == nil:
			all = append(all, d.alarm())
			open = &all[len(all)-1]
		}
		if d.Ticket {
			if open.To = d.End; open.To.Sub(open.From) >= longestDrift {
				open.To, open.Open = open.From.Add(longestDrift), false
			}
		}
	}
	kept := all[:0]
	for _, a := range all {
		if !a.Opened.Before(since) {
			kept = append(kept, a)
		}
	}
	return kept
}

// alarm is the one that a day opens.
func (d Day) alarm() Alarm {
	hash := sha256.Sum256([]byte(fmt.Sprintf("%q %q %q %q %q %d", d.Model, d.Segment, d.Feature, d.Reference, d.Measure, d.End.Unix())))
	return Alarm{
		ID: "drift-" + hex.EncodeToString(hash[:8]), Kind: KindDrift, Model: d.Model, Deploy: d.Deploy, Segment: d.Segment, Stream: d.Stream,
		Signal: plumbline.SignalDriftAlarm, Severity: plumbline.SeverityTicket, Claim: d.claim(),
		Opened: d.Seen, From: d.End.Add(-24 * time.Hour), To: d.End, Open: true,
	}
}

// Once counts a drift once: where a detector opened a ticket and an objective that
// bounds the same stream an incident, of the two that overlap the one that opened
// first is kept, at the higher level of both. Its row was written before there was
// another, and rows are not taken back. Alarms come back ordered by Opened.
func Once(all []Alarm) []Alarm {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Alarm) int { return a.Opened.Compare(b.Opened) })
	var kept []Alarm
	for _, a := range all {
		i := slices.IndexFunc(kept, func(k Alarm) bool { return k.sameDrift(a) })
		if i < 0 {
			kept = append(kept, a)
			continue
		}
		if a.Severity == plumbline.SeverityPage {
			kept[i].Severity = a.Severity
		}
	}
	return kept
}

// sameDrift reports whether a ticket of a detector and an incident are about one
// drift. A ticket opens when its day is over, by when the incident may be, too: so
// each lasts from the beginning of what it claims.
func (a Alarm) sameDrift(later Alarm) bool {
	if a.Kind != KindDrift || later.Kind != KindDrift || a.Signal == later.Signal || !a.Stream.holds(later.Stream) {
		return false
	}
	return (a.Closed.IsZero() || later.From.Before(a.Closed)) && (later.Closed.IsZero() || a.From.Before(later.Closed))
}

// Deployment is a deploy of a model that began to serve.
type Deployment struct {
	Deploy plumbline.DeployHash
	At     time.Time
}

// Rollback returns the first deployment within a time after an alarm that brought
// an earlier deploy back: one that had begun to serve before the deploy that the
// alarm is about did. Deployments are ordered by At.
func Rollback(a Alarm, all []Deployment, within time.Duration) (Deployment, bool) {
	began := a.Opened
	for _, d := range all {
		if d.Deploy == a.Deploy && !d.At.After(a.Opened) {
			began = d.At
		}
	}
	earlier := map[plumbline.DeployHash]bool{}
	for _, d := range all {
		if d.At.Before(began) && d.Deploy != a.Deploy {
			earlier[d.Deploy] = true
		}
		if !d.At.Before(a.Opened) && !d.At.After(a.Opened.Add(within)) && earlier[d.Deploy] {
			return d, true
		}
	}
	return Deployment{}, false
}
