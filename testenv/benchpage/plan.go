package benchpage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/rules"
)

// Options say what is measured.
type Options struct {
	// Program is the binary whose serve is run.
	Program string
	// Rate is how many events a second are produced, for all models together.
	Rate int
	// Faults is how many models fail, Healthy how many do not.
	Faults, Healthy int
	// Over is the time over which the faults begin.
	Over time.Duration
	// Patience is how long after the last page was due pages are waited for.
	Patience time.Duration
	Seed     uint64
	// Keep leaves the service's folder there, with its log.
	Keep bool
}

// DefaultOptions returns what is published: 100 faults, 5,000 events a second.
func DefaultOptions() Options {
	return Options{
		Program: "bin/plumbline", Rate: 5000, Faults: 100, Healthy: 20,
		Over: 3 * time.Minute, Patience: 90 * time.Second, Seed: 1,
	}
}

func (o Options) validate() error {
	if o.Rate < 1 || o.Faults < 1 || o.Healthy < 0 || o.Over <= 0 || o.Patience <= 0 {
		return fmt.Errorf("rate %d, faults %d, healthy models %d, over %s, patience %s: each has to be above zero, healthy models may be zero",
			o.Rate, o.Faults, o.Healthy, o.Over, o.Patience)
	}
	return nil
}

// endpoint is one model and what becomes of it.
type endpoint struct {
	model plumbline.Model
	slo   plumbline.SLOName
	tally *Tally
	// fails says that it has a fault: from after on, counted from when faults
	// begin, this share of its requests fails.
	fails bool
	after time.Duration
	depth float64

	began   time.Time // the first bad event of the fault
	crossed time.Time // the event that took it beyond
	pair    plumbline.WindowPair
}

// depth is the share that fails at the endpoint of this number: the workbook's
// fast pair crosses after 52 seconds of the greatest and 130 of the least, at a
// target of 99.9 %.
func depth(i int) float64 { return [...]float64{1, 0.8, 0.6, 0.5, 0.4}[i%5] }

const (
	target = 0.999
	period = 30 * 24 * time.Hour
	// usual is the share of healthy traffic that fails: a fifth of the budget.
	usual = 0.0002
	teams = 10
)

// endpoints makes the models. Faults begin evenly spread, each shifted by chance
// so that none keeps step with any interval of the service.
func endpoints(o Options) ([]*endpoint, error) {
	random := rand.New(rand.NewPCG(o.Seed, 1))
	var all []*endpoint
	var slos []plumbline.SLO
	step := o.Over / time.Duration(o.Faults)
	for i := range o.Faults + o.Healthy {
		e := &endpoint{model: plumbline.Model(fmt.Sprintf("model-%03d", i)), slo: plumbline.SLOName(fmt.Sprintf("answers-%03d", i))}
		if i < o.Faults {
			e.fails, e.depth = true, depth(i)
			e.after = step*time.Duration(i) + time.Duration(random.Int64N(int64(step)))
		}
		all = append(all, e)
		slos = append(slos, plumbline.SLO{
			Name: e.slo, Model: e.model, Target: target, Period: period, SLI: plumbline.SLI{Kind: plumbline.SLISuccess},
		})
	}
	objectives, err := rules.Objectives(slos)
	if err != nil {
		return nil, err
	}
	by := make(map[plumbline.SLOName]plumbline.Objective, len(objectives))
	for _, objective := range objectives {
		by[objective.SLO.Name] = objective
	}
	for _, e := range all {
		e.tally = NewTally(by[e.slo])
	}
	return all, nil
}

func team(i int) string { return fmt.Sprintf("team-%d", i%teams) }

// sloFile writes what endpoints declares as OpenSLO.
func sloFile(all []*endpoint) []byte {
	var b bytes.Buffer
	for i, e := range all {
		fmt.Fprintf(&b, `---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: %s
  annotations: {plumbline.dev/sli: success, plumbline.dev/owner: %s}
spec:
  service: %s
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: %g}]
`, e.slo, team(i), e.model, target)
	}
	return b.Bytes()
}

// place is where the service finds the rest of the world.
type place struct {
	dir, web, kafka  string
	pagerduty, slack string
}

// configure writes the service's files into the folder and returns its
// configuration: only what a service has to be told.
func configure(p place, all []*endpoint) (path string, err error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "data_dir: data\nweb: {listen: %s}\nkafka: {embedded: {listen: %s}}\nengine: {disk_limit: 0.99}\n", p.web, p.kafka)
	b.WriteString("models:\n")
	for _, e := range all {
		fmt.Fprintf(&b, "  - name: %s\n", e.model)
	}
	fmt.Fprintf(&b, "rules: {slo_files: [slo.yaml]}\nalerting:\n  pagerduty: {api_url: %s}\n  slack: {token: xoxb-bench, api_url: %s}\n  owners:\n", p.pagerduty, p.slack)
	files := map[string][]byte{"slo.yaml": sloFile(all)}
	for t := range teams {
		fmt.Fprintf(&b, "    - {name: %s, slack_channel: \"#%s\", pagerduty_key_file: %s.key, models: [", team(t), team(t), team(t))
		for i := t; i < len(all); i += teams {
			fmt.Fprintf(&b, "%s, ", all[i].model)
		}
		b.WriteString("]}\n")
		files[team(t)+".key"] = fmt.Appendf(nil, "%032d\n", t)
	}
	files["plumbline.yml"] = b.Bytes()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), content, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(p.dir, "plumbline.yml"), nil
}
