package rules

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
)

// guess tells the source an estimate of one deploy, over 6 h and the last hour.
func (f *fakeSource) guess(deploy string, long, low, high, short float64, verdict string, agrees float64, end time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows == nil {
		f.rows = make(map[string]FindingRow)
	}
	r := FindingRow{
		Model: "flight-delay", Deploy: plumbline.DeployHash(deploy), SLO: "flights-accuracy", Measure: plumbline.MeasureEstimatedBadShare,
		Window: "6h", End: end, Value: long, Low: low, High: high, Coverage: 0.1, Noise: agrees, Verdict: verdict,
	}
	f.rows[deploy+"guess"] = r
	r.Window, r.Value, r.Low, r.High = "1h", short, math.NaN(), math.NaN()
	f.rows[deploy+"guess short"] = r
}

// until says up to when the labels' windows reach.
func (f *fakeSource) until(deploy string, end time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, window := range []string{"6h", "30m"} {
		r := f.rows[deploy+window]
		r.End = end
		f.rows[deploy+window] = r
	}
}

// states returns what was sent since the last call by severity and clock.
func (n *inbox) states() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var states []string
	for _, a := range n.alerts {
		state := "firing"
		if !a.ResolvedAt.IsZero() {
			state = "resolved"
		}
		s := strings.TrimSuffix(a.Labels.Get(plumbline.LabelSeverity)+" "+a.Labels.Get(plumbline.LabelClock), " ") + "=" + state
		if a.Labels.Get("alertname") == plumbline.AlertSLOBurn && !slices.Contains(states, s) {
			states = append(states, s)
		}
	}
	n.alerts = nil
	slices.Sort(states)
	return states
}

func TestTheNowcastPagesOnlyWhatIsProven(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.2, 0.18, 0.22)
		expect := func(when string, want ...string) {
			t.Helper()
			if got := l.inbox.states(); !slices.Equal(got, want) {
				t.Errorf("%s: sent %v, want %v", when, got, want)
			}
		}
		unproven, proven := plumbline.VerdictInsufficient, plumbline.VerdictBreach
		l.source.guess("v1", 0.7, 0.66, 0.74, 0.9, proven, math.NaN(), time.Now())
		l.pass(4)
		expect("the bound is within the threshold")
		l.source.guess("v1", 0.8, 0.7, 0.9, 0.6, proven, math.NaN(), time.Now())
		l.pass(4)
		expect("the last hour is within the threshold")
		l.source.guess("v1", 0.8, 0.7, 0.9, 0.8, unproven, math.NaN(), time.Now())
		l.pass(2)
		a := l.inbox.last(t, plumbline.AlertSLOBurn)
		for name, want := range map[string]string{
			plumbline.AnnotationValue: "70%", plumbline.AnnotationLongValue: "80%", plumbline.AnnotationShortValue: "80%",
			plumbline.AnnotationHighValue: "90%", plumbline.AnnotationCoverage: "10%", plumbline.AnnotationBurnRate: "2.33", plumbline.AnnotationWindows: "6h/1h",
			plumbline.AnnotationSummary: "Suspected: flight-delay: an estimated 80% of predictions wrong over 6h, before labels are in, 30% allowed (deploy v1)",
		} {
			if got := a.Annotations.Get(name); got != want {
				t.Errorf("annotation %s is %q, want %q", name, got, want)
			}
		}
		expect("not proven", "ticket nowcast=firing")
		l.source.guess("v1", 0.8, 0.7, 0.9, 0.8, proven, math.NaN(), time.Now())
		l.pass(2)
		expect("proven", "page nowcast=firing", "ticket nowcast=resolved")
		l.source.set("v1", 0.8, 0.75, 0.8)
		l.pass(2)
		expect("labels confirm it", "page=firing")
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.source.guess("v1", 0.3, 0.2, 0.4, 0.3, plumbline.VerdictOK, math.NaN(), time.Now())
		l.pass(2)
		// What has resolved is told again.
		expect("both are well", "page nowcast=resolved", "page=resolved", "ticket nowcast=resolved")
	})
}

// What labels of days ago show pages late, unless a later estimate that was proven,
// and that labels agree with, says that it is over.
func TestOnlyAProvenEstimateSpeaksAgainstLabels(t *testing.T) {
	for _, tt := range []struct {
		name    string
		verdict string
		agrees  float64
		high    float64
		labels  time.Duration // before the estimate's end
		want    string
	}{
		{"proven and later", plumbline.VerdictOK, 0.5, 0.5, 7 * time.Hour, "ticket matured=firing"},
		{"as late as may be", plumbline.VerdictOK, 0.5, 0.5, 6 * time.Hour, "ticket matured=firing"},
		{"of the same hours", plumbline.VerdictOK, 0.5, 0.5, 5 * time.Hour, "page=firing"},
		{"not excluded", plumbline.VerdictOK, 0.5, 0.68, 7 * time.Hour, "page=firing"},
		{"not proven, or contradicted", plumbline.VerdictInsufficient, 0.5, 0.5, 7 * time.Hour, "page=firing"},
		{"no label could deny it", plumbline.VerdictOK, math.NaN(), 0.5, 7 * time.Hour, "page=firing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lab) {
				l.start()
				now := time.Now()
				l.source.set("v1", 0.8, 0.75, 0.8)
				l.source.until("v1", now.Add(-tt.labels))
				l.source.guess("v1", 0.3, 0.2, tt.high, 0.3, tt.verdict, tt.agrees, now)
				l.pass(2)
				if got := l.inbox.states(); !slices.Equal(got, []string{tt.want}) {
					t.Errorf("sent %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// A page that an estimate holds back is held back while nothing can be read, too, and
// over a restart; it comes once labels are read and no estimate speaks against them.
func TestAnOutageOfTheSourceTurnsNoTicketIntoAPage(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		now := time.Now()
		l.source.set("v1", 0.8, 0.75, 0.8)
		l.source.until("v1", now.Add(-7*time.Hour))
		l.source.guess("v1", 0.3, 0.2, 0.5, 0.3, plumbline.VerdictOK, 0.5, now)
		l.pass(4)
		if got := l.inbox.states(); !slices.Equal(got, []string{"ticket matured=firing"}) {
			t.Fatalf("held back: sent %v", got)
		}
		l.source.fail(errors.New("connection refused"))
		l.pass(8)
		l.stop()
		l.start()
		l.pass(8)
		if got := l.inbox.states(); slices.ContainsFunc(got, func(s string) bool { return s != "ticket matured=firing" }) {
			t.Errorf("outage: sent %v, want the ticket alone", got)
		}
		l.source.fail(nil)
		l.source.guess("v1", 0.8, 0.75, 0.9, 0.8, plumbline.VerdictOK, 0.5, now)
		l.pass(2)
		if got := l.inbox.states(); !slices.Contains(got, "page=firing") {
			t.Errorf("read again: sent %v, want the page", got)
		}
	})
}

// A page by labels asks that neither chance nor the labels that are missing may be
// what did it; until then it is a ticket.
func TestLabelsPageOnlyWhatMissingOnesCannotExplain(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		for _, tt := range []struct {
			noise float64
			want  []string
		}{
			{1e-3, []string{"ticket matured=firing"}},
			{1e-12, []string{"page=firing", "ticket matured=resolved"}},
			{1, []string{"page=resolved", "ticket matured=firing"}},
		} {
			l.source.set("v1", 0.8, 0.75, 0.8)
			l.source.quiet("v1", tt.noise)
			l.pass(2)
			if got := l.inbox.states(); !slices.Equal(got, tt.want) {
				t.Errorf("noise %v: sent %v, want %v", tt.noise, got, tt.want)
			}
		}
	})
}

// What holds a page back may change from one to the other: the ticket goes on.
func TestAPageHeldBackForAnotherReasonStaysATicket(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		now := time.Now()
		since := func(high float64) {
			l.source.set("v1", 0.8, 0.75, 0.8)
			l.source.until("v1", now.Add(-7*time.Hour))
			l.source.guess("v1", 0.3, 0.2, high, 0.3, plumbline.VerdictOK, 0.5, now)
		}
		since(0.5) // it is over
		l.pass(2)
		if got := l.inbox.states(); !slices.Equal(got, []string{"ticket matured=firing"}) {
			t.Fatalf("over: sent %v", got)
		}
		for _, high := range []float64{0.9, 0.5, 0.9} { // chance may explain it, whatever estimates say
			since(high)
			l.source.quiet("v1", 1e-3)
			l.pass(8)
			if got := l.inbox.states(); slices.ContainsFunc(got, func(s string) bool { return s != "ticket matured=firing" }) {
				t.Errorf("estimates up to %v: sent %v, want no end", high, got)
			}
		}
	})
}

// quiet says what noise says of the labels of the long window.
func (f *fakeSource) quiet(deploy string, noise float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.rows[deploy+"6h"]
	r.Noise = noise
	f.rows[deploy+"6h"] = r
}

// A page of an estimate ends when labels tell of as late a window, and deny it: it
// does not wait for the next hour.
func TestLabelsOfAsLateAWindowEndTheNowcast(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		expect := func(when string, want ...string) {
			t.Helper()
			if got := l.inbox.states(); !slices.Equal(got, want) {
				t.Errorf("%s: sent %v, want %v", when, got, want)
			}
		}
		l.start()
		hour := time.Now()
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.source.until("v1", hour.Add(-time.Minute))
		l.source.guess("v1", 0.8, 0.7, 0.9, 0.8, plumbline.VerdictBreach, 0.5, hour)
		l.pass(2)
		expect("labels of a minute less", "page nowcast=firing")
		l.source.until("v1", hour)
		l.pass(2)
		expect("labels of the same hours", "page nowcast=resolved")
	})
}

// A nowcast keeps no SLO from being blind, and outlasts a pause of the analysis as
// ratios do.
func TestTheNowcastSpeaksForNobody(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.guess("v1", 0.8, 0.7, 0.9, 0.8, plumbline.VerdictBreach, math.NaN(), time.Now())
		l.pass(2)
		l.expect("only estimates", "SLOBurn/v1=firing")
		l.source.mu.Lock()
		clear(l.source.rows)
		l.source.mu.Unlock()
		l.pass(70)
		l.expect("nothing", "SLOBurn/v1=firing", "SLOMissing/=firing")
	})
}

func TestWhoHasANowcast(t *testing.T) {
	base := plumbline.SLO{Name: "q", Model: "m", Owner: "o", Measure: plumbline.MeasureAccuracy, Target: 0.9, Period: 30 * day}
	for _, tt := range []struct {
		name   string
		change func(*plumbline.SLO)
		want   bool
	}{
		{"quality", func(*plumbline.SLO) {}, true},
		{"of a segment", func(s *plumbline.SLO) { s.Segment = "region=eu" }, false},
		{"latency", func(s *plumbline.SLO) { s.SLI.Kind = plumbline.SLILatency }, false},
		{"shadow", func(s *plumbline.SLO) { s.Shadow = true }, false},
	} {
		slo := base
		tt.change(&slo)
		content, err := Generate([]plumbline.SLO{slo}, linked())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(content), plumbline.MetricEstimateLow("")); got != tt.want {
			t.Errorf("%s: it has a nowcast: %t, want %t", tt.name, got, tt.want)
		}
	}
}
