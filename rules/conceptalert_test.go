package rules

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
)

// contradict tells the source what labels of a deploy say of its estimate over a
// window.
func (f *fakeSource) contradict(deploy, window, verdict string, gap float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows == nil {
		f.rows = make(map[string]FindingRow)
	}
	f.rows[deploy+"gap"+window] = FindingRow{
		Model: "flight-delay", Deploy: plumbline.DeployHash(deploy), Measure: plumbline.MeasureEstimateGap,
		Window: window, Value: gap, Low: math.NaN(), High: math.NaN(), Coverage: math.NaN(), Noise: 1e-5, Verdict: verdict,
	}
}

// serve tells the source whether a deploy served within a window.
func (f *fakeSource) serve(deploy, window string, served bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows == nil {
		f.rows = make(map[string]FindingRow)
	}
	row := FindingRow{
		Model: "flight-delay", Deploy: plumbline.DeployHash(deploy), Measure: plumbline.MeasureLabelsIn,
		Window: window, Value: math.NaN(), Low: math.NaN(), High: math.NaN(), Coverage: 0, Noise: math.NaN(), Verdict: plumbline.VerdictMissing,
	}
	if !served {
		row.Coverage = math.NaN()
	}
	f.rows[deploy+"served"+window] = row
}

// tickets returns what was sent of suspected concept drift since the last call, as
// deploy=firing|resolved, repeats left out.
func (n *inbox) tickets() []string {
	var tickets []string
	for _, s := range n.take() {
		if of, ok := strings.CutPrefix(s, plumbline.AlertConceptDrift+"/"); ok {
			tickets = append(tickets, of)
		}
	}
	return tickets
}

// conceptLab is a lab that looks every ten minutes, for days pass.
func conceptLab(t *testing.T, f func(l *lab, expect func(when string, want ...string))) {
	bubble(t, func(t *testing.T, l *lab) {
		l.cfg.Interval, l.cfg.ResendDelay = 10*time.Minute, 10*time.Minute
		l.start()
		f(l, func(when string, want ...string) {
			t.Helper()
			if got := l.inbox.tickets(); !slices.Equal(got, want) {
				t.Errorf("%s: sent %v, want %v", when, got, want)
			}
		})
	})
}

func TestAContradictionThatLastsIsOneTicket(t *testing.T) {
	conceptLab(t, func(l *lab, expect func(string, ...string)) {
		l.source.contradict("v1", "1d", plumbline.VerdictOK, -0.01)
		l.source.contradict("v1", "7d", plumbline.VerdictBreach, -0.02)
		advance(8 * time.Hour)
		expect("a longer window alone")
		l.source.contradict("v1", "1d", plumbline.VerdictBreach, -0.123456)
		advance(conceptFor - 10*time.Minute)
		expect("not six hours yet")
		advance(30 * time.Minute)
		a := l.inbox.last(t, plumbline.AlertConceptDrift)
		expect("for six hours", "v1=firing")
		if got, want := a.Labels.Map(), map[string]string{
			"alertname": plumbline.AlertConceptDrift, plumbline.LabelModel: "flight-delay", plumbline.LabelDeploy: "v1",
			plumbline.LabelSeverity: plumbline.SeverityTicket, plumbline.LabelOwner: "ml-oncall",
		}; !maps.Equal(got, want) {
			t.Errorf("its labels are %v, want %v", got, want)
		}
		for name, want := range map[string]string{
			plumbline.AnnotationSummary: "flight-delay: suspected concept drift, labels contradict the estimate (deploy v1)",
			plumbline.AnnotationRunbook: "https://docs.example/runbooks/concept-drift.md",
			plumbline.AnnotationPage:    "http://plumbline.example/?model=flight-delay&deploy_hash=v1",
		} {
			if got := a.Annotations.Get(name); got != want {
				t.Errorf("annotation %s is %q, want %q", name, got, want)
			}
		}
		for _, want := range []string{"In a window of 1d the labels", "lie -0.123 on average", "flight-delay deploy v1", "no page rests on an estimate that labels contradict"} {
			if text := a.Annotations.Get(plumbline.AnnotationDescription); !strings.Contains(text, want) {
				t.Errorf("the description does not say %q:\n%s", want, text)
			}
		}
		// It hovers, and too few labels leave the longer window alone to tell.
		l.source.contradict("v1", "1d", plumbline.VerdictOK, -0.08)
		advance(12 * time.Hour)
		l.source.contradict("v1", "1d", plumbline.VerdictInsufficient, math.NaN())
		advance(12 * time.Hour)
		l.source.contradict("v1", "1d", plumbline.VerdictBreach, -0.13)
		advance(12 * time.Hour)
		expect("as it hovers", "v1=firing")
		l.source.contradict("v1", "1d", plumbline.VerdictOK, 0.001)
		advance(conceptKeep - 20*time.Minute)
		expect("a day less a little", "v1=firing")
		advance(40 * time.Minute)
		expect("a day", "v1=firing", "v1=resolved")
		advance(24 * time.Hour)
		expect("and then")
	})
}

// An hour is no ticket, nor is what nobody can tell, however long it lasts.
func TestWhatIsNoTicketOfConceptDrift(t *testing.T) {
	conceptLab(t, func(l *lab, expect func(string, ...string)) {
		for range 5 {
			l.source.contradict("v1", "1d", plumbline.VerdictBreach, -0.1)
			advance(time.Hour)
			l.source.contradict("v1", "1d", plumbline.VerdictOK, -0.05)
			advance(time.Hour)
		}
		expect("an hour each")
		l.source.contradict("v1", "1d", plumbline.VerdictBreach, -0.1)
		advance(conceptFor - 40*time.Minute) // a series is seen for two intervals more
		l.source.mu.Lock()
		clear(l.source.rows)
		l.source.mu.Unlock()
		advance(24 * time.Hour)
		expect("nothing is known any more")
		for deploy, verdict := range map[string]string{"v2": plumbline.VerdictInsufficient, "v3": plumbline.VerdictMissing} {
			l.source.contradict(deploy, "1d", verdict, -0.5)
			l.source.contradict(deploy, "7d", verdict, -0.5)
		}
		l.source.contradict("v4", "1d", plumbline.VerdictBreach, math.NaN())
		l.source.contradict("v5", "1d", plumbline.VerdictOK, -0.5)
		advance(24 * time.Hour)
		expect("nobody can tell")
	})
}

// A deploy that was rolled back is contradicted no longer than the shortest window
// knows it, whatever the longer one holds of it for days: its ticket ends a day
// later and does not open anew. That of the deploy that took over is its own, and too
// few predictions within the shortest window are not none.
func TestATicketOfConceptDriftEndsAfterARollback(t *testing.T) {
	conceptLab(t, func(l *lab, expect func(string, ...string)) {
		for _, window := range []string{"1d", "7d"} {
			l.source.serve("v1", window, true)
			l.source.serve("v0", window, true)
			l.source.contradict("v1", window, plumbline.VerdictBreach, -0.3)
		}
		advance(7 * time.Hour)
		expect("drift", "v1=firing")
		l.source.mu.Lock()
		delete(l.source.rows, "v1gap1d") // its last predictions are too few
		l.source.mu.Unlock()
		advance(30 * time.Hour)
		expect("the week alone can tell", "v1=firing")
		l.source.serve("v1", "1d", false)
		advance(conceptKeep - 20*time.Minute)
		expect("a day less a little after the day is empty", "v1=firing")
		advance(time.Hour)
		expect("a day after the day is empty", "v1=firing", "v1=resolved")
		l.source.contradict("v0", "7d", plumbline.VerdictBreach, -0.2)
		advance(5 * 24 * time.Hour)
		expect("while the week still knows it", "v0=firing")
	})
}

// Labels of a model that are too few for a window are told of by the next longer one.
func TestSamplesOfAContradiction(t *testing.T) {
	row := func(model, deploy, window, verdict string, gap float64) FindingRow {
		return FindingRow{
			At: time.Unix(1000, 0), Model: plumbline.Model(model), Deploy: plumbline.DeployHash(deploy), Window: window,
			Measure: plumbline.MeasureEstimateGap, Value: gap, Verdict: verdict,
		}
	}
	served := func(deploy, window string, coverage float64) FindingRow {
		r := row("m", deploy, window, plumbline.VerdictMissing, math.NaN())
		r.Measure, r.Coverage = plumbline.MeasureLabelsIn, coverage
		return r
	}
	got := make(map[string]float64)
	for _, s := range Samples([]FindingRow{
		// f served nothing for a day, g has no label of that day.
		served("f", "7d", 0.5), served("f", "1d", math.NaN()), row("m", "f", "7d", plumbline.VerdictBreach, -0.4),
		served("g", "1d", 0), served("g", "7d", math.NaN()), row("m", "g", "7d", plumbline.VerdictBreach, -0.4),
		served("", "1d", math.NaN()),
		row("m", "a", "7d", plumbline.VerdictBreach, -0.2), row("m", "a", "1d", plumbline.VerdictOK, -0.1),
		row("m", "b", "1d", plumbline.VerdictInsufficient, math.NaN()), row("m", "b", "7d", plumbline.VerdictBreach, 0.3),
		row("m", "c", "1d", plumbline.VerdictMissing, 0.4), row("m", "d", "1d", plumbline.VerdictBreach, math.Inf(1)),
		row("n", "a", "12h", plumbline.VerdictBreach, -0.5), row("n", "a", "1d", plumbline.VerdictOK, -0.5),
	}) {
		if _, ok := s.Labels[plumbline.LabelSLO]; ok || !s.At.Equal(time.Unix(1000, 0)) {
			t.Errorf("%+v", s)
		}
		got[strings.TrimSpace(s.Name+" "+s.Labels[plumbline.LabelModel]+" "+s.Labels[plumbline.LabelDeploy]+" "+s.Labels[plumbline.LabelWindow])] = s.Value
	}
	if want := map[string]float64{
		"model:estimate:contradicted m a": 0, "model:estimate:gap m a 1d": -0.1,
		"model:estimate:contradicted m b": 1, "model:estimate:gap m b 7d": 0.3,
		"model:estimate:contradicted m g": 1, "model:estimate:gap m g 7d": -0.4,
		"model:estimate:contradicted n a": 1, "model:estimate:gap n a 12h": -0.5,
	}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Each model with an SLO on quality has one such ticket, of the SLO that pages, and
// it is never a page.
func TestWhoIsToldOfConceptDrift(t *testing.T) {
	slo := func(name, model string, change func(*plumbline.SLO)) plumbline.SLO {
		s := plumbline.SLO{Name: plumbline.SLOName(name), Model: plumbline.Model(model), Owner: plumbline.Owner("of " + name), Target: 0.9, Period: 30 * day, Runbook: "burns"}
		if change != nil {
			change(&s)
		}
		return s
	}
	content, err := Generate([]plumbline.SLO{
		slo("b", "two", nil), slo("a", "two", nil), slo("c", `q"{{`, nil),
		slo("d", "shadowed", func(s *plumbline.SLO) { s.Shadow = true }),
		slo("e", "fast", func(s *plumbline.SLO) { s.SLI = plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: 200} }),
		// One that says how late labels may be is silent of labels, not of what they say.
		slo("f", "late", nil),
		slo("g", "late", func(s *plumbline.SLO) { s.SLI = plumbline.SLI{Kind: plumbline.SLILabelArrival, Within: day} }),
	}, linked())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, g := range mustLoad(t, content).Groups {
		for _, r := range g.Rules {
			if r.Alert != plumbline.AlertConceptDrift {
				continue
			}
			got[g.Name+" "+r.Labels[plumbline.LabelOwner]] = r.Expr
			if r.Labels[plumbline.LabelSeverity] != plumbline.SeverityTicket || time.Duration(r.For) != conceptFor || time.Duration(r.KeepFiringFor) != conceptKeep {
				t.Errorf("in %s: %+v", g.Name, r)
			}
			if link := r.Annotations[plumbline.AnnotationRunbook]; link != "https://docs.example/runbooks/concept-drift.md" {
				t.Errorf("in %s: its runbook is %s", g.Name, link)
			}
		}
	}
	if want := map[string]string{
		"plumbline-a of a": `model:estimate:contradicted{model="two"} == 1`,
		"plumbline-c of c": `model:estimate:contradicted{model="q\"{{"} == 1`,
		"plumbline-f of f": `model:estimate:contradicted{model="late"} == 1`,
	}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Looking every hour at windows of a day costs no more false tickets than looking
// once at each day would, with one false suspicion in a thousand windows.
func TestTicketsByChanceAreAsManyAsWindowsPromise(t *testing.T) {
	const (
		window, years = 24, 3000
		hours         = years * 8766
		bound         = 3.2905 // of a normal variable in either direction: one in a thousand
	)
	random := rand.New(rand.NewPCG(1, 2))
	var (
		sum    float64
		newest [window]float64
		run    time.Duration
		begins int
		lasts  int
	)
	for i := range hours {
		v := random.NormFloat64()
		sum += v - newest[i%window]
		newest[i%window] = v
		if math.Abs(sum) <= bound*math.Sqrt(window) {
			run = 0
			continue
		}
		if run == 0 {
			begins++
		}
		if run += time.Hour; run == conceptFor {
			lasts++
		}
	}
	promised := 365.25 * 0.001
	if got := float64(lasts) / years; got > promised*1.15 {
		t.Errorf("%.2f tickets a year by chance, windows promise %.2f", got, promised)
	}
	if got := float64(begins) / years; got < 5*promised {
		t.Errorf("only %.2f contradictions a year begin by chance: what is `for` for?", got)
	}
}
