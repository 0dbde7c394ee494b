package burn

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

var origin = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func pair(long, short time.Duration, factor float64) plumbline.WindowPair {
	return plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: long, Short: short, Factor: factor}
}

// event is one prediction, for the brute force.
type event struct {
	at      time.Time
	known   time.Time // zero: no label
	correct bool
}

func randomEvents(random *rand.Rand, minutes int) []event {
	events := make([]event, random.IntN(400))
	bad := random.Float64()
	for i := range events {
		e := event{at: origin.Add(time.Duration(random.IntN(minutes*60)) * time.Second)}
		if random.IntN(5) > 0 {
			e.known = e.at.Add(time.Duration(random.ExpFloat64() * float64(20*time.Minute)))
		}
		e.correct = random.Float64() > bad
		events[i] = e
	}
	return events
}

// minutesOf counts events as known at an instant.
func minutesOf(events []event, n int, now time.Time) Minutes {
	m := NewMinutes(origin, n)
	for _, e := range events {
		i := int(e.at.Sub(origin) / time.Minute)
		m.Requests[i]++
		if !e.known.IsZero() && !e.known.After(now) {
			m.Labelled[i]++
			m.Rows[i]++
			if e.correct {
				m.Correct[i]++
			}
		}
	}
	return m
}

// bruteForce evaluates by definition, from events: try every minute from now
// backwards, and count the events in each window.
func bruteForce(events []event, now time.Time, slo plumbline.SLO, p plumbline.WindowPair) (end time.Time, long, short Window, ok bool) {
	count := func(end time.Time, length time.Duration) Window {
		w := Window{Length: length}
		for _, e := range events {
			if e.at.Before(end.Add(-length)) || !e.at.Before(end) {
				continue
			}
			w.Requests++
			if !e.known.IsZero() && !e.known.After(now) {
				w.Labelled++
				w.Rows++
				if !e.correct {
					w.Bad++
				}
			}
		}
		return w
	}
	for minute := now.Truncate(time.Minute); !minute.Before(origin); minute = minute.Add(-time.Minute) {
		end := minute.Add(time.Minute)
		short := count(end, p.Short)
		if short.Requests > 0 && float64(short.Labelled)/float64(short.Requests) >= slo.MinCoverage {
			return end, count(end, p.Long), short, true
		}
	}
	return time.Time{}, Window{}, Window{}, false
}

func TestEvaluateEqualsBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	verdicts := map[string]int{}
	for range 2000 {
		const n = 180
		events := randomEvents(random, n)
		now := origin.Add(time.Duration(random.IntN(n*60)) * time.Second)
		slo := plumbline.SLO{Target: .7, MinCoverage: []float64{0, .3, .9}[random.IntN(3)]}
		p := pair(time.Duration(10+random.IntN(80))*time.Minute, time.Duration(1+random.IntN(15))*time.Minute, 1.5)
		got := Evaluate(minutesOf(events, n, now), now, slo, p, 1)
		verdicts[got.Verdict]++
		end, long, short, ok := bruteForce(events, now, slo, p)
		if ok != (got.Verdict != plumbline.VerdictMissing) || !got.End.Equal(end) {
			t.Fatalf("F ends %s (%s), brute force says %s, %v", got.End, got.Verdict, end, ok)
		}
		if !ok {
			continue
		}
		if got.Long != long || got.Short != short {
			t.Fatalf("windows %+v %+v, brute force says %+v %+v", got.Long, got.Short, long, short)
		}
		breach := quality.Wilson(long.Bad, long.Labelled).Low > .45 && float64(short.Bad)/float64(short.Labelled) > .45
		if want := breach && long.Labelled >= quality.MinLabelled; got.Breach() != want {
			t.Fatalf("verdict %s of %+v %+v, breach should be %v", got.Verdict, long, short, want)
		}
	}
	for _, v := range []string{plumbline.VerdictOK, plumbline.VerdictBreach, plumbline.VerdictInsufficient, plumbline.VerdictMissing} {
		if verdicts[v] < 20 {
			t.Errorf("verdict %s came up %d times: the test says little about it", v, verdicts[v])
		}
	}
}

func TestNoLabelsAreNeverHealthy(t *testing.T) {
	m := NewMinutes(origin, 60)
	for i := range m.Requests {
		m.Requests[i] = 100
	}
	slo := plumbline.SLO{Target: .7, MinCoverage: .3}
	for name, e := range map[string]Evaluation{
		"no labels":        Evaluate(m, origin.Add(time.Hour), slo, pair(time.Hour, 5*time.Minute, 1), 1),
		"nothing at all":   Evaluate(NewMinutes(origin, 0), origin, slo, pair(time.Hour, 5*time.Minute, 1), 1),
		"before the start": Evaluate(m, origin.Add(-time.Hour), slo, pair(time.Hour, 5*time.Minute, 1), 1),
	} {
		if e.Verdict != plumbline.VerdictMissing || !e.End.IsZero() || !math.IsNaN(e.Long.Share()) {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// After each label, in the order in which they become known, what is replayed is
// what the brute force says at that instant.
func TestReplayedLabelsEqualBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	breaches := 0
	for range 100 {
		const n = 120
		events := randomEvents(random, n)
		o := plumbline.Objective{SLO: plumbline.SLO{Target: .7, MinCoverage: .3}, Pairs: []plumbline.WindowPair{pair(time.Hour, 5*time.Minute, 1.5)}}
		var changes []change
		for _, e := range events {
			if e.known.IsZero() {
				continue
			}
			c := change{known: e.known, minute: e.at.Truncate(time.Minute), labelled: 1, requests: 1}
			if e.correct {
				c.correct = 1
			}
			changes = append(changes, c)
		}
		sortChanges(changes)
		m := minutesOf(events, n, origin.Add(-time.Hour))
		for i, c := range changes {
			m.apply(c)
			if i+1 < len(changes) && changes[i+1].known.Equal(c.known) {
				continue
			}
			got, want := evaluateAll(o, m, c.known, 1)[0], Evaluate(minutesOf(events, n, c.known), c.known, o.SLO, o.Pairs[0], 1)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("as known at %s:\n got %+v\nwant %+v", c.known, got, want)
			}
			if want.Breach() {
				breaches++
				break
			}
		}
	}
	if breaches < 10 || breaches > 90 {
		t.Errorf("%d of 100 histories have a breach: the test says little", breaches)
	}
}

// Of a random sample the predictions without a label are no other: it pages, where of
// labels that may have come first as few do not.
func TestARandomSampleIsEvidenceByItself(t *testing.T) {
	slo := plumbline.SLO{Target: .7, MinCoverage: .01}
	p := pair(time.Hour, 5*time.Minute, 1.5)
	p.Noise = 1e-6
	for random, want := range map[bool]string{true: plumbline.SeverityPage, false: plumbline.SeverityTicket} {
		m := NewMinutes(origin, 60)
		m.Random = random
		for i := range m.Requests {
			m.Requests[i], m.Labelled[i], m.Rows[i] = 100, 2, 2
		}
		if e := Evaluate(m, origin.Add(59*time.Minute), slo, p, 1); !e.Breach() || e.Severity() != want {
			t.Errorf("random %t: %s by %g, want a %s: %+v", random, e.Severity(), e.Noise, want, e)
		}
	}
}
