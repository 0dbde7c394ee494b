package benchpage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/rules"
)

func TestPagesAreJudged(t *testing.T) {
	due := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	after := func(s int) time.Time { return due.Add(time.Duration(s) * time.Second) }
	p := newPages(nil)
	p.at = map[plumbline.Model][]time.Time{
		"late": {after(12)}, "twice": {after(3), after(9)}, "early": {after(-1)}, "healthy": {after(5)},
	}
	failing := func(m plumbline.Model) *endpoint {
		return &endpoint{model: m, fails: true, began: after(-60), crossed: due}
	}
	never := failing("never crossed")
	never.crossed = time.Time{}
	o := p.judge([]*endpoint{failing("late"), failing("twice"), failing("early"), failing("silent"), never, {model: "healthy"}})
	if o.missed != 1 || o.uncrossed != 1 || o.doubled != 1 || o.wrong != 2 {
		t.Errorf("missed %d, uncrossed %d, doubled %d, false %d; one each and two false ones", o.missed, o.uncrossed, o.doubled, o.wrong)
	}
	if len(o.excess) != 2 || o.excess[0] != 3 || o.excess[1] != 12 || o.closed[0] != 60 {
		t.Errorf("excess %v of closed forms %v, want 3 and 12 of 60", o.excess, o.closed)
	}
}

func TestQuantileIsAValueThatWasSeen(t *testing.T) {
	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(i + 1)
	}
	for share, want := range map[float64]float64{0.5: 50, 0.99: 99, 1: 100} {
		if got := quantile(values, share); got != want {
			t.Errorf("%g of 1 to 100 do not exceed %g, want %g", share, got, want)
		}
	}
}

// The SLO file declares the objectives that the tally is of.
func TestFileDeclaresWhatIsCounted(t *testing.T) {
	o := DefaultOptions()
	all, err := endpoints(o)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := configure(place{dir: dir, web: "127.0.0.1:1", kafka: "127.0.0.1:2", pagerduty: "http://127.0.0.1:3", slack: "http://127.0.0.1:4/"}, all); err != nil {
		t.Fatal(err)
	}
	slos, err := rules.ParseFiles(filepath.Join(dir, "slo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	declared, err := rules.Objectives(slos)
	if err != nil {
		t.Fatal(err)
	}
	if len(declared) != o.Faults+o.Healthy {
		t.Fatalf("%d objectives are declared, want %d", len(declared), o.Faults+o.Healthy)
	}
	for i, d := range declared {
		e := all[i]
		if d.SLO.Name != e.slo || d.SLO.Model != e.model || d.SLO.Target != e.tally.slo.Target || len(d.Pairs) == 0 {
			t.Errorf("declared is %s of %s at %g, counted %s of %s at %g", d.SLO.Name, d.SLO.Model, d.SLO.Target, e.slo, e.model, e.tally.slo.Target)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "plumbline.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tuned := range []string{"interval", "group_wait"} {
		if strings.Contains(string(text), tuned) {
			t.Errorf("the configuration sets %s: the defaults are what is measured", tuned)
		}
	}
}
