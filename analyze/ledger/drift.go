package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Stream is what one detector of drift watches.
type Stream struct {
	Model     plumbline.Model
	Segment   plumbline.Segment
	Feature   plumbline.Feature
	Reference string
	Measure   string
}

func (s Stream) claim() string {
	text := fmt.Sprintf("%s of %s against %s", s.Measure, s.Feature, s.Reference)
	if s.Segment != "" {
		text += " in " + string(s.Segment)
	}
	return text
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
		ID: "drift-" + hex.EncodeToString(hash[:8]), Kind: KindDrift, Model: d.Model, Deploy: d.Deploy, Segment: d.Segment,
		Signal: plumbline.SignalDriftAlarm, Severity: plumbline.SeverityTicket, Claim: d.claim(),
		Opened: d.Seen, From: d.End.Add(-24 * time.Hour), To: d.End, Open: true,
	}
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
