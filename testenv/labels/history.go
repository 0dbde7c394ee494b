package labels

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Options say how large a replay is.
type Options struct {
	// Seed makes the history and the kills.
	Seed uint64
	// Predictions are made over Days; labels come up to 14 days after that.
	Predictions, Days int
	// Step is how much of the replay's time is stored at once.
	Step time.Duration
	// Kills is how many times a process is killed.
	Kills int
	// Burns is after how much of the replay's time burn rates are evaluated as known
	// then, in whole hours. Unless it is 0, pages are replayed too, by both clocks.
	Burns time.Duration
	// Proven is how many hourly nowcasts of the healthy model a page might have rested
	// on, at least; 0 in a history too short for any, whose nowcasts are not judged.
	Proven float64
}

// The delays of labels.
const (
	minDelay = time.Hour
	maxDelay = 14 * 24 * time.Hour
)

// The models: a healthy one, which guesses in one case of 25 and so is wrong in
// one of fifty, and one that does nothing but guess in the last quarter, so that
// a replay that cannot page at all is found out. What is guessed has a score that
// says so, without which estimates could know nothing before labels do.
const (
	healthy = "healthy"
	broken  = "broken"
)

const partitions = 6

// begin is the first instant of every replay.
var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// event is a prediction or a label.
type event struct {
	label      bool
	model, id  string
	deploy     string // predictions
	class      string
	deleted    bool // labels
	ts, known  time.Time
	score      float64
	guessed    bool // predictions
	propensity float64
	partition  int32
	offset     int64
}

func (e event) topic() string {
	if e.label {
		return "labels"
	}
	return "predictions"
}

// makeHistory returns every event in the order in which it becomes known.
func makeHistory(o Options) []event {
	random := rand.New(rand.NewPCG(o.Seed, 0))
	span := time.Duration(o.Days) * 24 * time.Hour
	var all []event
	for i := range o.Predictions {
		p := event{model: healthy, id: fmt.Sprintf("%016x", random.Uint64()), deploy: "a", class: []string{"no", "yes"}[random.IntN(2)],
			ts: begin.Add(time.Duration(random.Int64N(int64(span)))).Truncate(time.Millisecond), score: random.Float64(), propensity: 1 - random.Float64()/2}
		if i%2 == 0 {
			p.model = broken
		}
		p.guess(p.model == broken && p.ts.Sub(begin) > span/4*3)
		p.known = p.ts.Add(time.Duration(random.IntN(90_000)) * time.Millisecond)
		all = append(all, p)
		if random.IntN(30) == 0 {
			again := p
			again.known = p.known.Add(time.Duration(random.IntN(3600)) * time.Second)
			all = append(all, again)
		}
		if random.IntN(10) > 0 {
			all = append(all, labelsOf(random, p)...)
		}
	}
	for range o.Predictions / 50 { // of nothing
		at := begin.Add(time.Duration(random.Int64N(int64(span)))).Truncate(time.Millisecond)
		all = append(all, event{label: true, model: healthy, id: fmt.Sprintf("none-%x", random.Uint64()), class: "no", ts: at, known: at})
	}
	return number(random, all)
}

// guess makes the score, so far anything from 0 to 1, that of a prediction: the
// chance of "yes" as the model sees it, which is about a half where it guesses.
func (e *event) guess(always bool) {
	sure := 0.95 + 0.04*e.score
	if e.guessed = always || e.score < 0.04; e.guessed {
		sure = 0.5 + 0.05*e.score
	}
	if e.score = sure; e.class == "no" {
		e.score = 1 - sure
	}
}

// labelsOf are those of one prediction: half of what is guessed is wrong. A wrong
// answer becomes known in a quarter of the time: complaints come first.
func labelsOf(random *rand.Rand, p event) []event {
	wrong := random.IntN(2) == 0 && p.guessed
	delay := time.Duration(float64(minDelay) * math.Exp(random.Float64()*math.Log(float64(maxDelay)/float64(minDelay))))
	class := p.class
	if wrong {
		class = other(p.class)
		delay = max(minDelay, delay/4)
	}
	at := p.ts.Add(delay).Truncate(time.Millisecond)
	l := event{label: true, model: p.model, id: p.id, class: class, ts: at, known: at.Add(time.Duration(random.IntN(60_000)) * time.Millisecond)}
	all := []event{l}
	later := func(e event) event {
		e.known = e.known.Add(time.Duration(1+random.Int64N(int64(48*time.Hour))) / time.Millisecond * time.Millisecond)
		return e
	}
	switch random.IntN(20) {
	case 0: // repeated
		all = append(all, later(l))
	case 1: // first the other class, corrected to the truth
		first, corrected := l, later(l)
		first.class, first.ts = other(class), l.ts.Add(-time.Minute)
		if random.IntN(10) > 0 {
			// Most of them soon: if one label of twenty were wrong for a day, the record
			// of estimates would rightly say that they do not hold.
			corrected.known = l.known.Add(corrected.known.Sub(l.known) / 48).Truncate(time.Millisecond)
		}
		all = []event{first, corrected}
	case 2: // out of order: what comes later is older, and must lose
		old := later(l)
		old.class, old.ts = other(class), l.ts.Add(-time.Minute)
		all = append(all, old)
	case 3: // withdrawn, of which every second comes again
		gone := later(l)
		gone.deleted, gone.class, gone.ts = true, "", l.ts.Add(time.Minute)
		all = append(all, gone)
		if random.IntN(2) == 0 {
			again := later(gone)
			again.deleted, again.class, again.ts = false, class, l.ts.Add(2*time.Minute)
			all = append(all, again)
		}
	case 4: // wrongly keyed, and then rightly
		astray := l
		astray.model = map[string]string{healthy: broken, broken: healthy}[p.model]
		all = []event{astray, later(l)}
	case 5: // known before its prediction is
		all[0].known = p.ts.Add(-time.Minute)
	}
	return all
}

func other(class string) string {
	if class == "yes" {
		return "no"
	}
	return "yes"
}

// number puts events in the order of knowing and gives each a place in Kafka.
func number(random *rand.Rand, all []event) []event {
	slices.SortStableFunc(all, func(a, b event) int { return a.known.Compare(b.known) })
	next := map[string]int64{}
	for i := range all {
		e := &all[i]
		e.partition = int32(random.IntN(partitions))
		key := fmt.Sprint(e.topic(), e.partition)
		e.offset = next[key]
		next[key]++
	}
	return all
}

// cell is one key of outcome_cells without segments; counts what it counts.
type (
	cell struct {
		model, deploy string
		minute, hour  time.Time
	}
	counts struct{ labelled, correct int64 }
)

// oracle computes every cell by definition: for every prediction and instant of
// a label, look at all that is known by then.
func oracle(history []event) map[cell]counts {
	type key struct{ model, id string }
	predictions, heard := map[key]event{}, map[key][]event{}
	for _, e := range history { // in the order of knowing; what is known at once is known first by its place
		k := key{e.model, e.id}
		if e.label {
			heard[k] = append(heard[k], e)
			continue
		}
		p, ok := predictions[k]
		if !ok || cmp.Or(e.known.Compare(p.known), cmp.Compare(e.partition, p.partition), cmp.Compare(e.offset, p.offset)) < 0 {
			predictions[k] = e
		}
	}
	cells := map[cell]counts{}
	for k, labels := range heard {
		p, ok := predictions[k]
		if !ok {
			continue
		}
		var before counts
		for _, at := range instants(p, labels) {
			now := state(p, labels, at)
			c := cell{k.model, p.deploy, p.ts.Truncate(time.Minute), at.Truncate(time.Hour)}
			sum := cells[c]
			sum.labelled += now.labelled - before.labelled
			sum.correct += now.correct - before.correct
			cells[c] = sum
			before = now
		}
	}
	for c, n := range cells {
		if n == (counts{}) {
			delete(cells, c)
		}
	}
	return cells
}

// since is when a label counts: not before its prediction is known.
func since(p, l event) time.Time {
	if l.known.Before(p.known) {
		return p.known
	}
	return l.known
}

func instants(p event, labels []event) []time.Time {
	var all []time.Time
	for _, l := range labels {
		all = append(all, since(p, l))
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.Compact(all)
}

// state is what the labels known at an instant say of a prediction.
func state(p event, labels []event, at time.Time) counts {
	var winner *event
	for i := range labels {
		l := &labels[i]
		if since(p, *l).After(at) {
			continue
		}
		if winner == nil || cmp.Or(l.ts.Compare(winner.ts), cmp.Compare(l.partition, winner.partition), cmp.Compare(l.offset, winner.offset)) > 0 {
			winner = l
		}
	}
	switch {
	case winner == nil || winner.deleted:
		return counts{}
	case winner.class == p.class:
		return counts{1, 1}
	}
	return counts{1, 0}
}
