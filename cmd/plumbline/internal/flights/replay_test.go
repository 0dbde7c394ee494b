package flights

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// parsed is any event, read back by encoding/json.
type parsed struct {
	ID       string    `json:"prediction_id"`
	Model    string    `json:"model"`
	Deploy   string    `json:"deploy_hash"`
	Stage    string    `json:"stage"`
	Time     time.Time `json:"ts"`
	Features struct {
		Distance    float64 `json:"distance"`
		Origin      string  `json:"origin"`
		Destination string  `json:"destination"`
		Hour        int     `json:"hour"`
		Weekday     string  `json:"weekday"`
	} `json:"features"`
	Segments  map[string]string `json:"segments"`
	Score     float64           `json:"score"`
	Predicted string            `json:"predicted"`
	Status    string            `json:"status"`
	Label     string            `json:"label"`
	Version   string            `json:"version"`
	By        string            `json:"by"`
	Commit    string            `json:"commit"`
	Dataset   string            `json:"dataset_hash"`
	Job       string            `json:"feature_job"`
}

func parse(t *testing.T, e Event) parsed {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(e.Value))
	decoder.DisallowUnknownFields()
	var p parsed
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("%s %s: %v", e.Kind, e.Value, err)
	}
	return p
}

func drain(r *Replay) []Event {
	var all []Event
	for e, ok := r.Next(); ok; e, ok = r.Next() {
		all = append(all, e)
	}
	return all
}

func TestEventsComeInOrderAndAgreeWithTheirEnvelope(t *testing.T) {
	r := syntheticReplay(t)
	topics := map[Kind]string{KindTraining: TopicPredictions, KindPrediction: TopicPredictions, KindLabel: TopicLabels, KindDeployment: TopicDeployments}
	var last time.Time
	made := make(map[string]time.Time)
	for _, e := range drain(r) {
		p := parse(t, e)
		key := p.ID
		if e.Kind == KindDeployment {
			key = p.Model
		}
		if e.At.Before(last) || !p.Time.Equal(e.At) || string(e.Key) != key || p.Model != "flight-delay" || e.Topic != topics[e.Kind] {
			t.Fatalf("%s at %s after %s, key %q, topic %q: %s", e.Kind, e.At, last, e.Key, e.Topic, e.Value)
		}
		last = e.At
		switch e.Kind {
		case KindTraining, KindPrediction:
			if _, twice := made[p.ID]; twice {
				t.Fatalf("prediction %s is made twice", p.ID)
			}
			made[p.ID] = e.At
		case KindLabel:
			at, ok := made[p.ID]
			if !ok || !at.Before(e.At) {
				t.Fatalf("label of %s at %s: its prediction was made at %s (%v)", p.ID, e.At, at, ok)
			}
		}
	}
}

// The oracle is compared with a recount from the JSON alone.
func TestOracleEqualsRecountOfTheStream(t *testing.T) {
	r := syntheticReplay(t)
	events := drain(r)
	about := r.About()
	for _, known := range []time.Time{r.cfg.Now, about.FaultAt.Add(-time.Minute), about.Start.Add(-time.Minute), events[len(events)-1].At} {
		want := Facts{Known: known}
		tallies := map[string]*Tally{string(about.Good): &want.Before, string(about.Faulty): &want.After}
		answers := make(map[string]parsed)
		for _, e := range events {
			if e.At.After(known) {
				break
			}
			p := parse(t, e)
			switch e.Kind {
			case KindTraining:
				want.Counts.Training++
			case KindDeployment:
				want.Counts.Deployments++
			case KindPrediction:
				want.Counts.Predictions++
				answers[p.ID] = p
				tallies[p.Deploy].Predictions++
			case KindLabel:
				want.Counts.Labels++
				tally := tallies[answers[p.ID].Deploy]
				tally.Labelled++
				if answers[p.ID].Predicted == p.Label {
					tally.Correct++
				}
			}
		}
		if got := r.Oracle(known); got != want {
			t.Errorf("known at %s: oracle %+v, recount %+v", known, got, want)
		}
	}
}

func TestOnlyTheFaultyDeployOfAffectedOriginsSendsMetres(t *testing.T) {
	r := syntheticReplay(t)
	about := r.About()
	if about.AffectedShare < 0.6 || len(about.Affected) == 0 || len(about.Affected) == 6 {
		t.Fatalf("affected origins %v carry %g", about.Affected, about.AffectedShare)
	}
	miles := make(map[string]float64)
	for i := range r.data.row {
		_, value := r.enc.label("flight-", r.data.row[i], r.cfg.Now, false)
		var p parsed
		if err := json.Unmarshal(value, &p); err != nil {
			t.Fatal(err)
		}
		miles[p.ID] = float64(r.data.distance[i])
	}
	metres := 0
	for _, e := range drain(r) {
		if e.Kind != KindPrediction {
			continue
		}
		p := parse(t, e)
		want := miles[p.ID]
		if !e.At.Before(about.FaultAt) != (p.Deploy == string(about.Faulty)) {
			t.Fatalf("at %s deploy %s answers", e.At, p.Deploy)
		}
		if p.Deploy == string(about.Faulty) && slices.Contains(about.Affected, p.Features.Origin) {
			want *= 1609.344
			metres++
		}
		if !near(p.Features.Distance, want, 1e-9*want) {
			t.Fatalf("%s from %s sends distance %g, want %g", p.ID, p.Features.Origin, p.Features.Distance, want)
		}
	}
	if metres == 0 {
		t.Error("no prediction sent metres")
	}
}

func TestReplayIsDeterministic(t *testing.T) {
	a, b := drain(syntheticReplay(t)), drain(syntheticReplay(t))
	if len(a) != len(b) {
		t.Fatalf("%d and %d events", len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i].Value, b[i].Value) || !a[i].At.Equal(b[i].At) {
			t.Fatalf("event %d differs:\n%s\n%s", i, a[i].Value, b[i].Value)
		}
	}
}

// The features keep the flights' own clock, the event times move to now.
func TestClockIsMovedSoThatCutIsNow(t *testing.T) {
	r := syntheticReplay(t)
	if got, want := r.moved(r.cut), r.cfg.Now.Truncate(time.Minute); !got.Equal(want) {
		t.Errorf("the cut becomes %s, want %s", got, want)
	}
	if r.original(r.cfg.Now) != r.cut {
		t.Errorf("now is %s of the flights' clock, want the cut", r.original(r.cfg.Now).time())
	}
	m := minuteOf(time.Date(2001, time.June, 28, 17, 59, 0, 0, time.UTC))
	if m.hour() != 17 || weekdayName(m.weekday()) != "Thu" {
		t.Errorf("hour %d, weekday %s", m.hour(), weekdayName(m.weekday()))
	}
}

func TestEventsGolden(t *testing.T) {
	r := syntheticReplay(t)
	var out bytes.Buffer
	var seen [kinds]int
	last := r.About().Good
	for _, e := range drain(r) {
		seen[e.Kind]++
		p := parse(t, e)
		// The first two of each kind, and the first answers of the faulty deploy.
		faulty := e.Kind == KindPrediction && plumbline.DeployHash(p.Deploy) != last
		if seen[e.Kind] > 2 && !faulty {
			continue
		}
		if faulty {
			last = plumbline.DeployHash(p.Deploy)
		}
		out.WriteString(e.Topic + " " + string(e.Key) + " " + e.At.Format(time.RFC3339Nano) + "\n" + string(e.Value) + "\n")
	}
	path := filepath.Join("testdata", "events.golden")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("events differ from %s (-update rewrites it):\n%s", path, out.Bytes())
	}
}

func TestLandingIsNeverBeforeHalfTheFlight(t *testing.T) {
	x := &table{}
	x.add(january, -110, 100, "ORD", "ATL")
	x.add(january, 0, 1000, "ORD", "ATL")
	x.add(january, 60, 1000, "ORD", "ATL")
	data, err := Load(goodShape().write(t, x))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []minute{26, 157, 217} {
		if got := data.landing(i) - data.departure[i]; got != want {
			t.Errorf("flight %d lands after %d minutes, want %d", i, got, want)
		}
	}
}
