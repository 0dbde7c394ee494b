package rules

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"

	"github.com/plumbline-slo/plumbline"
)

// oneConditionInAnother are the burn rates by themselves of an SLO on answers in
// which two are over the hour of the workbook's fast page.
func oneConditionInAnother() plumbline.SLO {
	hour := func(name string, factor float64) plumbline.BurnCondition {
		return plumbline.BurnCondition{Name: name, Severity: plumbline.SeverityPage, Factor: factor, Lookback: time.Hour}
	}
	return plumbline.SLO{
		Name: "s", Model: "m", Owner: "o", SLI: plumbline.SLI{Kind: plumbline.SLISuccess}, Target: 0.99, Period: 30 * day,
		Conditions: []plumbline.BurnCondition{
			hour("sharp", 30), hour("mild", 10),
			{Name: "other", Severity: plumbline.SeverityTicket, Factor: 10, Lookback: time.Hour},
		},
	}
}

// alertsOf are the alerting rules of what is generated, by what tells their alerts
// apart: the labels that a rule gives, and the model, which its series give.
func alertsOf(t *testing.T, slos []plumbline.SLO) map[string][]rulefmt.Rule {
	t.Helper()
	content, err := Generate(slos, DefaultGenerateConfig())
	if err != nil {
		t.Fatal(err)
	}
	models := make(map[string]plumbline.Model)
	for _, s := range slos {
		models[GroupPrefix+string(s.Name)] = s.Model
	}
	all := make(map[string][]rulefmt.Rule)
	for _, g := range mustLoad(t, content).Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				key := fmt.Sprint(r.Alert, models[g.Name], r.Labels)
				all[key] = append(all[key], r)
			}
		}
	}
	return all
}

// Of alerts that look alike the end of one ends the other, which comes back a minute
// later: so each has a label of its own where the window does not tell them apart.
// Others look as before, so that what fires while a service is upgraded goes on.
func TestConditionsOfOneWindowAreToldApart(t *testing.T) {
	named := make(map[string]string)
	for _, rules := range alertsOf(t, []plumbline.SLO{oneConditionInAnother()}) {
		for _, r := range rules {
			if r.Alert == plumbline.AlertSLOBurn {
				l := r.Labels
				named[l[plumbline.LabelSeverity]+" "+l[plumbline.LabelWindow]+" "+l["condition"]] = r.Expr
			}
		}
	}
	for what, factor := range map[string]string{
		"page 1h ": "0.144", "page 1h sharp": "0.3", "page 1h mild": "0.1", "ticket 1h ": "0.1", "page 6h ": "0.06", "ticket 1d ": "0.03", "ticket 3d ": "0.01",
	} {
		if !strings.Contains(named[what], " > "+factor+" ") {
			t.Errorf("%q: %q has no threshold of %s", what, named[what], factor)
		}
	}
	if len(named) != 7 {
		t.Errorf("got %d alerts: %v", len(named), named)
	}
}

// TestNoTwoRulesAlertAlike generates rules of many a set of SLOs, with conditions
// on the windows of the workbook, on those that it gives way to, and on one another's.
func TestNoTwoRulesAlertAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := []plumbline.SLIKind{plumbline.SLIQuality, plumbline.SLISuccess, plumbline.SLILatency, plumbline.SLILabelArrival}
	lookbacks := []time.Duration{5 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 3 * day}
	for range 100 {
		var slos []plumbline.SLO
		for i := range 1 + r.IntN(4) {
			slo := plumbline.SLO{
				Name: plumbline.SLOName(fmt.Sprintf("s%d", i)), Model: plumbline.Model(fmt.Sprintf("m%d", r.IntN(2))), Owner: "o",
				SLI: plumbline.SLI{Kind: kinds[r.IntN(len(kinds))]}, Period: []time.Duration{7 * day, 28 * day, 30 * day}[r.IntN(3)],
				Target: []float64{0.7, 0.9, 0.99, 0.999}[r.IntN(4)], Shadow: r.IntN(8) == 0,
			}
			for k := range r.IntN(4) {
				slo.Conditions = append(slo.Conditions, plumbline.BurnCondition{
					Name: fmt.Sprintf("c{{%d", k), Severity: []string{plumbline.SeverityPage, plumbline.SeverityTicket}[r.IntN(2)],
					Factor: 1 + 2*r.Float64(), Lookback: lookbacks[r.IntN(len(lookbacks))],
				})
			}
			slos = append(slos, slo)
		}
		for key, rules := range alertsOf(t, slos) {
			if len(rules) > 1 {
				t.Fatalf("%d rules yield %s, of %+v", len(rules), key, slos)
			}
		}
	}
}

// Two conditions of one name over one window would be one alert again.
func TestConditionsOfOneNameAndWindowAreRefused(t *testing.T) {
	slo := oneConditionInAnother()
	slo.Conditions[1].Name = slo.Conditions[0].Name
	if _, err := Objectives([]plumbline.SLO{slo}); err == nil || !strings.Contains(err.Error(), "two page conditions over 1h are named sharp") {
		t.Errorf("got %v", err)
	}
	inline := "    - kind: AlertPolicy\n      metadata: {name: p}\n      spec:\n        conditions:\n          - kind: AlertCondition\n" +
		"            spec: {severity: page, condition: {kind: burnrate, threshold: 3, lookbackWindow: 1h}}\n"
	_, err := parse("x.yml", []byte(sloHead+"    plumbline.dev/sli: success\n"+sloTail+"  alertPolicies:\n"+inline+strings.Replace(inline, "threshold: 3", "threshold: 4", 1)))
	if err == nil || !strings.Contains(err.Error(), "x.yml:20: spec.alertPolicies[1]: two page conditions over 1h are named condition; give one of them another metadata.name") {
		t.Errorf("got %v", err)
	}
}
