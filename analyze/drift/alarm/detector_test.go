package alarm

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

const day = 24 * time.Hour

// end of the i-th day.
func end(i int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * day)
}

// psiBlock is a day of 5,000 events whose PSI from the reference is v beyond
// noise.
func psiBlock(i int, v float64) Block {
	r := measure.Result{Measure: measure.PSI, Value: v + 0.004, NullMean: 0.004, Debiased: v, MinEffect: 0.1, Method: measure.Asymptotic}
	return Block{End: end(i), Reference: "training", Events: 5000, Freedom: 19, Result: r}
}

func config(streams int) Config {
	c := DefaultConfig()
	c.Streams = streams
	return c
}

func newDetector(t *testing.T, c Config) *Detector {
	t.Helper()
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// statuses of days first, first+1, ... with these distances, in short.
func statuses(d *Detector, first int, distances ...float64) string {
	var s strings.Builder
	for i, v := range distances {
		s.WriteString(map[Status]string{Quiet: ".", Suspect: "s", Opened: "T", Open: "o", Insufficient: "?", Repeated: "r"}[d.Step(psiBlock(first+i, v)).Status])
	}
	return s.String()
}

func repeat(v float64, n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = v
	}
	return all
}

func TestOneTicketForAChange(t *testing.T) {
	d := newDetector(t, config(50))
	if got := statuses(d, 0, repeat(0.002, 30)...); strings.Trim(got, ".") != "" {
		t.Fatalf("quiet: %s", got)
	}
	if got, want := statuses(d, 30, repeat(1, 40)...), "T"+strings.Repeat("o", 39); got != want {
		t.Errorf("a change that stays: %s, want %s", got, want)
	}
	if v := d.Step(psiBlock(69, 0)); v.Status != Repeated || !v.Ticket {
		t.Errorf("an open ticket, repeated: %+v", v)
	}
	// Two quiet days are none yet, three close the ticket, the next change is
	// another ticket.
	if got, want := statuses(d, 70, 0, 0, 1, 0, 0, 0, 0, 1, 1), "ooooo..To"; got != want {
		t.Errorf("return to quiet: %s, want %s", got, want)
	}
	// Another reference starts over, without history.
	b := psiBlock(80, 5)
	b.Reference = "another"
	if v := d.Step(b); v.Status == Open || d.State().History.Blocks != 0 || !strings.Contains(v.Assumption, "no quiet block") {
		t.Errorf("another reference: %+v", v)
	}
}

// What does not matter never opens a ticket, however sure it is; nor does one
// bad day among many streams become usual.
func TestBothSureAndGreatEnough(t *testing.T) {
	d := newDetector(t, config(1))
	for i := range 100 {
		b := psiBlock(i, 0.09)
		b.Events, b.Result.NullMean, b.Result.Value = 1e9, 1e-8, 0.09+1e-8
		if v := d.Step(b); v.Status != Quiet || v.Practical {
			t.Fatalf("day %d: %+v", i, v)
		}
	}
	// With a usual of .09 a day of .12 matters, but is nothing unusual.
	if v := d.Step(psiBlock(100, 0.12)); v.Status != Quiet || !v.Practical || v.P < 0.05 {
		t.Errorf("usual: %+v", v)
	}
}

func TestMoreStreamsNeedMoreEvidence(t *testing.T) {
	c := config(200)
	if got, want := c.Threshold(), 200*91.310625; math.Abs(got-want) > 1e-9 {
		t.Errorf("threshold %v, want %v: streams times days of a quarter", got, want)
	}
	c.Budget, c.Block = 4, time.Hour
	if got, want := c.Threshold(), 200*91.310625*24/4; math.Abs(got-want) > 1e-9 {
		t.Errorf("threshold %v, want %v", got, want)
	}
	few, many := newDetector(t, config(5)), newDetector(t, config(1_000_000))
	quiet := repeat(0.002, 30)
	statuses(few, 0, quiet...)
	statuses(many, 0, quiet...)
	if got := statuses(few, 30, 0.3) + statuses(many, 30, 0.3); got != "Ts" {
		t.Errorf("a change of .3 among few and many streams: %s, want Ts", got)
	}
}

func TestInsufficient(t *testing.T) {
	few, undefined, unit, repeated := psiBlock(2, 1), psiBlock(3, 1), psiBlock(4, 1), psiBlock(1, 1)
	few.Events = 99
	undefined.Result.Method = measure.None
	unit.Result.MinEffect = math.NaN()
	d := newDetector(t, config(1))
	d.Step(psiBlock(1, 0))
	for _, c := range []struct {
		block Block
		want  Status
	}{{few, Insufficient}, {undefined, Insufficient}, {unit, Insufficient}, {repeated, Repeated}} {
		if v := d.Step(c.block); v.Status != c.want || !math.IsNaN(v.P) || v.E != 1 || v.Evidence != 0 {
			t.Errorf("got %+v, want %s", v, c.want)
		}
	}
	if got := d.State().History.Recent; len(got) != 1 {
		t.Errorf("history of %v: what says nothing is no history", got)
	}
}

func TestConfigErrors(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"budget": func(c *Config) { c.Budget = 0 }, "not a number": func(c *Config) { c.Budget = math.NaN() },
		"streams": func(c *Config) { c.Streams = 0 }, "block": func(c *Config) { c.Block = 0 },
		"spacing": func(c *Config) { c.Spacing = 0 }, "prior": func(c *Config) { c.PriorBlocks = 0 },
		"lag": func(c *Config) { c.Lag = -1 }, "memory": func(c *Config) { c.Memory = 0 }, "rearm": func(c *Config) { c.Rearm = 0 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A life with noise, days that are missing, a change, and another reference.
func life(r *rand.Rand) []Block {
	var blocks []Block
	for i := range 150 {
		level := 0.05 * r.NormFloat64() * r.NormFloat64()
		switch {
		case i%11 == 10:
			continue
		case i >= 60 && i < 90:
			level = 0.5 + 0.3*r.Float64()
		}
		b := psiBlock(i, math.Abs(level))
		if i%17 == 0 {
			b.Events = 10
		}
		if i >= 120 {
			b.Reference = "next"
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// Stopped at any block and started again from its state as JSON, or from all
// blocks so far with the last one repeated, a detector says the same.
func TestRestartAtAnyBlock(t *testing.T) {
	blocks := life(rand.New(rand.NewPCG(1, 1)))
	whole := newDetector(t, config(20))
	var want []string
	tickets := 0
	for i, b := range blocks {
		if i < 8 {
			whole.Prime(b)
			want = append(want, "")
			continue
		}
		v := whole.Step(b)
		if v.Status == Opened {
			tickets++
		}
		want = append(want, fmt.Sprintf("%+v", v))
	}
	if tickets == 0 {
		t.Fatal("no ticket: the life is too quiet to test with")
	}
	for stop := 8; stop < len(blocks); stop++ {
		before := newDetector(t, config(20))
		for i, b := range blocks[:stop] {
			if i < 8 {
				before.Prime(b)
			} else {
				before.Step(b)
			}
		}
		stored, err := json.Marshal(before.State())
		if err != nil {
			t.Fatal(err)
		}
		var s State
		if err := json.Unmarshal(stored, &s); err != nil {
			t.Fatal(err)
		}
		after, err := Resume(config(20), s)
		if err != nil {
			t.Fatal(err)
		}
		if v := after.Step(blocks[stop-1]); v.Status != Repeated {
			t.Fatalf("block %d again: %+v", stop-1, v)
		}
		for i := stop; i < len(blocks); i++ {
			if got := fmt.Sprintf("%+v", after.Step(blocks[i])); got != want[i] {
				t.Fatalf("restarted at block %d, block %d: %s, want %s", stop, i, got, want[i])
			}
		}
	}
}

// A state is a copy: what happens later does not change it.
func TestStateIsACopy(t *testing.T) {
	d := newDetector(t, config(1))
	d.Step(psiBlock(0, 0.05))
	s := d.State()
	before := fmt.Sprintf("%+v", s)
	d.Step(psiBlock(7, 0.08))
	d.Step(psiBlock(8, 2))
	if after := fmt.Sprintf("%+v", s); after != before {
		t.Errorf("%s became %s", before, after)
	}
	resumed, err := Resume(Config{Budget: 1, Streams: 1, Block: day, Spacing: 1, PriorBlocks: 1, Memory: 1, Rearm: 1}, s)
	if err != nil || len(resumed.State().Evidence) != 1 || len(resumed.State().History.Recent) != 1 {
		t.Errorf("another spacing: %+v, %v", resumed.State(), err)
	}
}

// Evidence is multiplied between blocks a week apart only: weak evidence on
// every day of a week is no ticket, in the same weekday for weeks it is.
func TestSpacing(t *testing.T) {
	d := newDetector(t, config(50))
	statuses(d, 0, repeat(0.002, 60)...)
	v := d.Step(psiBlock(60, 0.17))
	if v.Status != Suspect || v.E < 3 {
		t.Fatalf("one day: %+v", v)
	}
	daily, weekly := newDetector(t, config(50)), newDetector(t, config(50))
	statuses(daily, 0, repeat(0.002, 60)...)
	statuses(weekly, 0, repeat(0.002, 60)...)
	if got := statuses(daily, 60, repeat(0.17, 7)...); strings.Contains(got, "T") {
		t.Errorf("seven days in a row: %s", got)
	}
	got := ""
	for w := range 6 {
		got += statuses(weekly, 60+7*w, append([]float64{0.17}, repeat(0.002, 6)...)...)
	}
	if !strings.Contains(got, "T") {
		t.Errorf("six weeks: %s", got)
	}
}

// The p-value of a level that varies as its history did is valid in the worst
// case, all variance in one direction: at most as often small as it says,
// within 4 standard deviations of 40,000 lives.
func TestNullIsValid(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	const lives = 40_000
	for _, carry := range []float64{0, 0.7} {
		below := map[float64]int{}
		for range lives {
			d := Detector{cfg: config(1)}
			level := r.NormFloat64()
			block := func() Block {
				level = carry*level + math.Sqrt(1-carry*carry)*r.NormFloat64()
				return psiBlock(0, 0.2*level*level)
			}
			for range 28 {
				n, _ := d.null(block())
				d.state.History.add(n, d.cfg)
			}
			n, _ := d.null(block())
			p := n.p()
			for _, alpha := range []float64{0.01, 0.001} {
				if p <= alpha {
					below[alpha]++
				}
			}
		}
		for alpha, n := range below {
			if limit := lives*alpha + 4*math.Sqrt(lives*alpha); float64(n) > limit {
				t.Errorf("autocorrelation %v: %d of %d lives at p <= %v, want at most %.0f", carry, n, lives, alpha, limit)
			}
		}
	}
}

// The rate itself: p-values that are uniform and independent open at most the
// budgeted number of tickets, here one in 200 blocks, whatever the spacing.
func TestRateOfTickets(t *testing.T) {
	for _, spacing := range []int{1, 7} {
		c := config(1)
		c.Spacing = spacing
		c.Budget = float64(Quarter) / float64(day) / 200
		d := newDetector(t, c)
		r := rand.New(rand.NewPCG(4, 5))
		tickets := 0
		const blocks = 400_000
		for i := range blocks {
			v := Verdict{P: 1 - r.Float64(), Practical: true, Threshold: c.Threshold()}
			v.E = calibrate(v.P, v.Threshold)
			d.decide(&v, Block{End: end(i)})
			if v.Status == Opened {
				tickets++
				d.state.Open = false // at once, to count all
			}
		}
		if tickets > blocks/200 || tickets < blocks/2000 {
			t.Errorf("spacing %d: %d tickets in %d blocks, want at most %d and some", spacing, tickets, blocks, blocks/200)
		}
	}
}
