package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
)

// policed is an SLO with alert policies, of which the first is referred to, and targets.
func policed(first, second string) string {
	return `apiVersion: openslo/v1
kind: SLO
metadata:
  name: a
  annotations: {plumbline.dev/sli: success}
spec:
  service: m
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: 0.99}]
  alertPolicies:
    - alertPolicyRef: p
    - {kind: AlertPolicy, metadata: {name: q}, spec: {conditions: [{conditionRef: d}], ` + second + `}}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: p}
spec:
  conditions: [{conditionRef: c}]
  ` + first + `
` + target("x") + target("y") + aCondition("c", "1h") + aCondition("d", "2h")
}

func target(name string) string {
	return "---\napiVersion: openslo/v1\nkind: AlertNotificationTarget\nmetadata: {name: " + name + "}\nspec: {target: slack}\n"
}

func aCondition(name, lookback string) string {
	return "---\napiVersion: openslo/v1\nkind: AlertCondition\nmetadata: {name: " + name + "}\nspec: {severity: page, condition: {threshold: 5, lookbackWindow: " + lookback + ", alertAfter: 5m}}\n"
}

// TestPoliciesAreNotCutShort holds that what a policy asks for is done, or refused.
func TestPoliciesAreNotCutShort(t *testing.T) {
	const one = "notificationTargets: [{targetRef: x}]"
	for name, tt := range map[string]struct{ first, second, want string }{
		"one target":          {one, one, ""},
		"one and none":        {one, "description: none", ""},
		"ends told":           {one + "\n  alertWhenResolved: true", one, ""},
		"ends untold":         {one + "\n  alertWhenResolved: false", one, "x.yml:21: spec.alertWhenResolved: is false: who was told of an incident is told of its end; remove it"},
		"two targets":         {"notificationTargets: [{targetRef: x}, {targetRef: y}]", one, "x.yml:20: spec.notificationTargets: has 2 items: an SLO has one owner; keep one, and write all of its channels into its entry of alerting.owners"},
		"a target in place":   {"notificationTargets: [{kind: AlertNotificationTarget, metadata: {name: x}, spec: {target: slack}}]", one, "x.yml:20: spec.notificationTargets[0].targetRef: is missing: a target in place is told nothing; write targetRef: with the metadata.name of an AlertNotificationTarget, an entry of alerting.owners"},
		"targets that differ": {one, "notificationTargets: [{targetRef: y}]", "x.yml:13: spec.alertPolicies[1]: its target is y, that of another policy x: an SLO has one owner; keep one of them, or write the owner as plumbline.dev/owner"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("x.yml", []byte(policed(tt.first, tt.second)))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	owned := strings.Replace(policed(one, "notificationTargets: [{targetRef: y}]"), "plumbline.dev/sli: success", "plumbline.dev/sli: success, plumbline.dev/owner: z", 1)
	if slos, err := parse("x.yml", []byte(owned)); err != nil || slos[0].Owner != "z" {
		t.Errorf("an owner that is named: %v, %v", slos, err)
	}
}

// How long a condition has to hold is asked of any SLO.
func TestConditionsOfQualityWaitToo(t *testing.T) {
	slo := plumbline.SLO{Name: "q", Model: "m", Owner: "o", Measure: plumbline.MeasureAccuracy, Target: 0.9, Period: 30 * day,
		Conditions: []plumbline.BurnCondition{{Name: "c", Severity: plumbline.SeverityPage, Factor: 3, Lookback: 4 * time.Hour, After: 10 * time.Minute}}}
	waits := 0
	for _, rules := range alertsOf(t, []plumbline.SLO{slo}) {
		if r := rules[0]; r.Alert == plumbline.AlertSLOBurn && r.Labels[plumbline.LabelWindow] == "4h" && r.Labels[plumbline.LabelSeverity] == plumbline.SeverityPage {
			waits += int(time.Duration(r.For) / time.Minute)
		}
	}
	if waits != 10 {
		t.Errorf("it waits %d minutes", waits)
	}
}
