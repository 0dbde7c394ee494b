package rules

import (
	"strings"
	"testing"
)

// oneSLO is a file with one SLO: annotations as in braces, fields of the objective, and
// what follows the spec.
func oneSLO(annotations, objective, rest string) string {
	return `apiVersion: openslo/v1
kind: SLO
metadata:
  name: a
  annotations: {plumbline.dev/owner: o, ` + annotations + `}
spec:
  service: m
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{` + objective + `}]
` + rest
}

const (
	success = "plumbline.dev/sli: success"
	good    = "target: 0.99"
)

func calendar(duration string) string {
	return strings.Replace(oneSLO(success, good, ""), "{duration: 30d, isRolling: true}",
		"{duration: "+duration+", calendar: {startTime: 2026-01-01 00:00:00, timeZone: UTC}}", 1)
}

func condition(severity, threshold, lookback string) string {
	return `  alertPolicies: [{alertPolicyRef: p}]
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: p}
spec: {conditions: [{conditionRef: c}]}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: c}
spec:
  severity: ` + severity + `
  condition:
    threshold: ` + threshold + `
    lookbackWindow: ` + lookback + "\n"
}

const findings = "plumbline.dev/feature: amount, plumbline.dev/op: lte, plumbline.dev/value: \"1\", plumbline.dev/sli: "

// TestWhatIsWrongHasAPlace holds mistakes that were accepted, or told without their
// place, to file, line, field and fix.
func TestWhatIsWrongHasAPlace(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"a condition beyond everything": {oneSLO(success, "target: 0.9", condition("page", "12", "1h")),
			"x.yml:24: spec.condition.threshold: can never fire for SLO a: a burn of 12 asks for a bad share beyond 1.2 at a target of 0.9; lower its threshold below 10"},
		"a condition under a slice": {strings.Replace(oneSLO(success, "target: 0.9, timeSliceTarget: 0.9, timeSliceWindow: 1h", condition("page", "2", "30m")), "Occurrences", "Timeslices", 1),
			"x.yml:25: spec.condition.lookbackWindow: can never fire for SLO a: no slice of 1h fits into 30m; lengthen its lookbackWindow to 1h at least, or shorten timeSliceWindow"},
		"a condition over more than the period": {oneSLO(success, good, condition("page", "2", "60d")),
			"x.yml:25: spec.condition.lookbackWindow: is longer than the period of SLO a (30d): bad events that its budget has forgotten would still alert; write a lookbackWindow of 30d at most"},
		"no objective": {strings.Replace(oneSLO(success, good, ""), "[{"+good+"}]", "[]", 1), "x.yml:10: spec.objectives: is empty; write one item"},
		"an answer before it was asked": {oneSLO("plumbline.dev/sli: latency, plumbline.dev/op: lt, plumbline.dev/value: \"0\"", good, ""),
			"x.yml:5: metadata.annotations.plumbline.dev/sli: no answer takes lt 0 ms: every one would be bad; write milliseconds above 0"},
		"no pair": {strings.Replace(oneSLO(success, "target: 0.05", ""), "duration: 30d", "duration: 1d", 1),
			"x.yml:10: spec.objectives[0].target: no window pair can fire for 0.05 over 1d"},
		"no pair in percent": {strings.Replace(oneSLO(success, "targetPercent: 5", ""), "duration: 30d", "duration: 1d", 1),
			"x.yml:10: spec.objectives[0].targetPercent: no window pair can fire for 0.05 over 1d"},
		"an SLI that nobody uses": {oneSLO(success, good, "---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {name: lat}\nspec: {thresholdMetric: {metricSource: {type: plumbline, spec: {sli: latncy}}}}\n"),
			`x.yml:15: spec.thresholdMetric.metricSource.spec.sli: "latncy" is not known; write one of`},
		"nothing":                   {"", "x.yml:1: holds no document of OpenSLO; write one, or remove the file"},
		"nothing but comments":      {"# later\n---\n", "x.yml:1: holds no document of OpenSLO; write one, or remove the file"},
		"a month and something":     {calendar("1Mxyz"), `x.yml:9: spec.timeWindow[0].duration: "1Mxyz" ends in no unit`},
		"a month and a day":         {calendar("1M1d"), `x.yml:9: spec.timeWindow[0].duration: "1M1d" has no usable number`},
		"more than a year":          {calendar("13M"), `x.yml:9: spec.timeWindow[0].duration: "13M" is not between 1M and 1Y`},
		"a drift that is not known": {oneSLO(findings+"drift, plumbline.dev/measure: psy", good, ""), `x.yml:5: metadata.annotations.plumbline.dev/measure: "psy" is no measure of drift; write one of psi, kl, js, `},
		"a gap that is not known":   {oneSLO(findings+"fairness, plumbline.dev/measure: gap", good, ""), `x.yml:5: metadata.annotations.plumbline.dev/measure: "gap" is no measure of fairness; write one of demographic_parity_gap, `},
		"a figure for a measure":    {oneSLO(findings+"kpi, plumbline.dev/measure: conversion", good, ""), `x.yml:5: metadata.annotations.plumbline.dev/measure: "conversion" is no measure of kpi; write mean_kpi, and the name of the figure as plumbline.dev/feature`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("x.yml", []byte(tt.file))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want) || !strings.Contains(err.Error(), "; ") || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// What nothing evaluates is correct OpenSLO, and says where that is so.
func TestInertSaysWhere(t *testing.T) {
	slos, err := ParseFiles("testdata/openslo/standard-occurrences.yml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Objectives(slos); err == nil || !strings.Contains(err.Error(), "testdata/openslo/standard-occurrences.yml:") || !strings.Contains(err.Error(), ".type: ") || !strings.Contains(err.Error(), "; ") {
		t.Errorf("got %v", err)
	}
}

// TestWhatNobodyUsesIsRead holds documents that no SLO refers to to what they have to be
// by themselves, and to nothing that an SLO would add.
func TestWhatNobodyUsesIsRead(t *testing.T) {
	for name, spec := range map[string]string{
		"a threshold": "{thresholdMetric: {metricSource: {type: plumbline, spec: {sli: latency}}}}",
		"a share":     "{ratioMetric: {rawType: success, raw: {metricSource: {type: prometheus, spec: {query: up}}}}}",
		"of others":   "{ratioMetric: {good: {metricSource: {type: datadog, spec: {query: up}}}, total: {metricSource: {type: datadog, spec: {query: up}}}}}",
	} {
		if _, err := parse("x.yml", []byte(oneSLO(success, good, "---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {name: s}\nspec: "+spec+"\n"))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
