package ask

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Kind says where a reference comes from.
type Kind string

// The kinds.
const (
	// Training is the model's training set.
	Training Kind = "training"
	// PreviousDeploy is the deploy that served before the one in question, its
	// last seven days.
	PreviousDeploy Kind = "previous-deploy"
	// Sliding is the time just before the window.
	Sliding Kind = "sliding"
	// SameHours are the same hours of the weeks before.
	SameHours Kind = "same-hours"
	// Range is a fixed range of event time.
	Range Kind = "range"
	// Auto is the one of Sliding, SameHours and PreviousDeploy from which past
	// windows differed least. The training set is reported beside it.
	Auto Kind = "auto"
)

// Reference says what a window is compared with.
type Reference struct {
	Kind Kind
	// Length is how far back Sliding and SameHours reach: hours for the one,
	// weeks for the other.
	Length time.Duration
	// From and To bound a Range, To exclusive.
	From, To time.Time
}

const (
	day  = 24 * time.Hour
	week = 7 * day
	// maxLength bounds windows and references.
	maxLength = 400 * day
	// The lengths where none is given.
	defaultSliding   = week
	defaultSameHours = 4 * week
	// layout is how a time is written; seconds say nothing by the hour.
	layout = "2006-01-02T15:04Z07:00"
)

// spellings is how references are written, for errors and help.
const spellings = "training, previous-deploy, sliding[:7d], same-hours[:4w], FROM..TO (RFC 3339) or auto"

// ParseReference reads a reference as people write it.
func ParseReference(text string) (Reference, error) {
	if from, to, ok := strings.Cut(text, ".."); ok {
		return parseRange(text, from, to)
	}
	name, length, given := strings.Cut(text, ":")
	r := Reference{Kind: Kind(name)}
	switch r.Kind {
	case Training, PreviousDeploy, Auto:
		if given {
			return Reference{}, fmt.Errorf("reference %q: %s has no length", text, name)
		}
		return r, nil
	case Sliding, SameHours:
		r.Length = defaultSliding
		if r.Kind == SameHours {
			r.Length = defaultSameHours
		}
		if given {
			var err error
			if r.Length, err = ParseLength(length); err != nil {
				return Reference{}, fmt.Errorf("reference %q: %w", text, err)
			}
		}
	default:
		return Reference{}, fmt.Errorf("reference %q: write %s", text, spellings)
	}
	if err := r.Validate(); err != nil {
		return Reference{}, err
	}
	return r, nil
}

func parseRange(text, from, to string) (Reference, error) {
	r := Reference{Kind: Range}
	for _, end := range []struct {
		text string
		into *time.Time
	}{{from, &r.From}, {to, &r.To}} {
		t, err := ParseTime(end.text)
		if err != nil {
			return Reference{}, fmt.Errorf("reference %q: %w", text, err)
		}
		*end.into = t
	}
	if err := r.Validate(); err != nil {
		return Reference{}, err
	}
	return r, nil
}

// ParseTime reads a time as serve.ParseTime does, to the second.
func ParseTime(text string) (time.Time, error) {
	t, err := serve.ParseTime(text)
	return t.Truncate(time.Second), err
}

// ParseLength reads a number of hours, days or weeks: 24h, 7d, 4w.
func ParseLength(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'h': time.Hour, 'd': day, 'w': week}
	if text != "" {
		unit, ok := units[text[len(text)-1]]
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 16)
		if d := time.Duration(n) * unit; ok && err == nil && d > 0 && d <= maxLength {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is not a length of at most 400d: write 24h, 7d or 4w", text)
}

// Validate returns an error that says how the reference should be.
func (r Reference) Validate() error {
	switch r.Kind {
	case Training, PreviousDeploy, Auto:
		return nil
	case Sliding:
		if r.Length < time.Hour || r.Length > maxLength || r.Length%time.Hour != 0 {
			return fmt.Errorf("reference %s: its length must be 1h to 400d, in whole hours", r)
		}
		return nil
	case SameHours:
		if r.Length < week || r.Length > maxLength || r.Length%week != 0 {
			return fmt.Errorf("reference %s: its length must be 1w to 57w, in whole weeks", r)
		}
		return nil
	case Range:
		if !r.From.Before(r.To) || r.To.Sub(r.From) > maxLength {
			return fmt.Errorf("reference %s: it must begin before it ends, at most 400d", r)
		}
		return nil
	}
	return fmt.Errorf("reference %q: write %s", string(r.Kind), spellings)
}

// String spells the reference as ParseReference reads it.
func (r Reference) String() string {
	switch r.Kind {
	case Sliding, SameHours:
		return string(r.Kind) + ":" + Length(r.Length)
	case Range:
		return spell(r.From) + ".." + spell(r.To)
	}
	return string(r.Kind)
}

func spell(t time.Time) string {
	if t.Second() == 0 {
		return t.UTC().Format(layout)
	}
	return t.UTC().Format(time.RFC3339)
}

// Length spells a length as ParseLength reads it, in the longest unit that fits.
func Length(d time.Duration) string {
	switch {
	case d >= 2*week && d%week == 0:
		return strconv.Itoa(int(d/week)) + "w"
	case d > day && d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	}
	return strconv.Itoa(int(d/time.Hour)) + "h"
}
