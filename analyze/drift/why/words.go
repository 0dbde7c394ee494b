package why

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// shown is how many moves and parts have words.
const shown = 3

// Lines returns the report in words for people, a line each, the first of a
// series not indented. Names that came from producers are quoted.
func (r Report) Lines() []string {
	var lines []string
	for _, f := range r.Series {
		lines = append(lines, fmt.Sprintf("%s: %s of the drift", name(f.Series), percent(f.Share)))
		for _, line := range f.words() {
			lines = append(lines, "  "+line)
		}
	}
	if len(r.Series) > 1 {
		lines = append(lines, "together:")
		for _, line := range append(divided(r.Divisions, ""), r.Run.words()...) {
			lines = append(lines, "  "+line)
		}
	}
	return lines
}

// Carriers says which segments, deploys and hours carry the whole of the report,
// for an alert. Empty where it has one deploy, no segments, and lies all over
// the window.
func (r Report) Carriers() []string {
	words := divided(r.Divisions, "")
	if !r.Run.Whole {
		words = append(words, r.Run.words()...)
	}
	return words
}

// name quotes a feature's name; what the model answers has a name of ours.
func name(s plumbline.Series) string {
	if f, ok := s.Feature(); ok {
		return strconv.Quote(string(f))
	}
	return string(s)
}

// Words says what moved most in one series, for an alert: its greatest moves
// and the part that carries most of it. Empty where nothing moved.
func (f Explained) Words() string { return strings.Join(f.words(), "; ") }

func (f Explained) words() []string {
	var words []string
	for i, m := range f.Moves {
		// What moved out of one place into another has two ends that say the same.
		if i == shown || i > 0 && m.Share < leastWorth {
			break
		}
		words = append(words, fmt.Sprintf("%s (%s of it)", m, percent(m.Share)))
	}
	if len(words) == 0 {
		return nil
	}
	words = append(words, divided(f.Divisions, f.Moves[0].Values)...)
	return append(words, f.Run.words()...)
}

// leastWorth is the share below which a move or a part has no words.
const leastWorth = 0.05

// divided says which parts carry a distance, where there is more than one;
// hours have words of their own.
func divided(divisions []Division, values string) []string {
	var words []string
	for _, d := range divisions {
		if d.By == ByHour || len(d.Parts) < 2 {
			continue
		}
		for i, p := range d.Parts {
			if i == shown || p.Share < leastWorth {
				break
			}
			words = append(words, fmt.Sprintf("%s %s carries %s with %s of the requests%s", d.By, p.words(), percent(p.Share), percent(p.Traffic), p.because(values)))
		}
	}
	return words
}

func (p Part) words() string {
	if p.Name == Rest {
		return Rest
	}
	return strconv.Quote(p.Name)
}

// because says by what a part carries its share.
func (p Part) because(values string) string {
	switch {
	case p.Share > 0 && p.Mix > p.Share/2:
		return fmt.Sprintf(", which was %s", percent(p.TrafficBefore))
	case values != "" && p.Moved > 0:
		return fmt.Sprintf(" (%s of its own: %s)", percent(p.Moved), values)
	}
	return ""
}

func (r Run) words() []string {
	if r.To.IsZero() {
		return nil
	}
	from, to := r.From.UTC().Format(time.DateTime), r.To.UTC().Format(time.DateTime)
	if r.Whole {
		return []string{fmt.Sprintf("all over %s to %s UTC", from, to)}
	}
	return []string{fmt.Sprintf("%s to %s UTC carries %s with %s of the requests", from, to, percent(r.Share), percent(r.Traffic))}
}
