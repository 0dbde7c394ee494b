package rules

import (
	"strings"
	"testing"
)

// Annotations of plumbline on an SLI are refused: they would hold for nothing. Its own
// annotations are anybody's.
func TestAnnotationsStandOnSLOs(t *testing.T) {
	file := func(annotations string) string {
		return strings.Replace(oneSLO("a: b", good, ""), "  objectives:", "  indicatorRef: i\n  objectives:", 1) + `---
apiVersion: openslo/v1
kind: SLI
metadata: {name: i, annotations: {` + annotations + `}}
spec: {thresholdMetric: {metricSource: {type: plumbline, spec: {sli: latency, op: lte, value: 200}}}}
`
	}
	for annotations, want := range map[string]string{
		"team: payments":               "",
		"plumbline.dev/bogus: x":       "x.yml:15: metadata.annotations.plumbline.dev/bogus: has no meaning on a document of kind SLI",
		`plumbline.dev/value: "300"`:   "metadata.annotations.plumbline.dev/value: has no meaning on a document of kind SLI",
		"plumbline.dev/owner: ml-team": "metadata.annotations.plumbline.dev/owner: has no meaning",
	} {
		_, err := parse("x.yml", []byte(file(annotations)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", annotations, err, want)
		}
	}
	inPlace := oneSLO("a: b", "target: 0.99, compositeWeight: 1, indicator: {metadata: {name: i, annotations: {plumbline.dev/value: \"3\"}}, spec: {thresholdMetric: {metricSource: {type: plumbline, spec: {sli: success}}}}}", "")
	if _, err := parse("x.yml", []byte(inPlace)); err == nil || !strings.Contains(err.Error(), "plumbline.dev/value: has no meaning on a document of kind SLI") {
		t.Errorf("in place: %v", err)
	}
}

// A part that refers to an SLI that is not there has that mistake and no other.
func TestAMissingPartIsOneMistake(t *testing.T) {
	_, err := parse("x.yml", []byte(oneSLO("a: b", "target: 0.99, compositeWeight: 1, indicatorRef: nobody", "")))
	if err == nil || !strings.Contains(err.Error(), `there is no SLI named "nobody"`) || strings.Contains(err.Error(), "quality") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

func TestTargetPercent(t *testing.T) {
	slos, err := parse("x.yml", []byte(oneSLO(success, "targetPercent: 99", "")))
	if err != nil || len(slos) != 1 || slos[0].Target != 0.99 {
		t.Errorf("%+v, %v", slos, err)
	}
}
