package decode

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodMapping = `predictions:
  prediction_id: /id
  model: {value: m}
  deploy_hash: {value: d}
  ts: /ts
`

func TestMappingMistakes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "m.yml: the file is empty"},
		{"predictions: [", "m.yml:"},
		{goodMapping + "---\n{}", "m.yml: a second YAML document"},
		{"events: {}", `m.yml:1: events: is none of predictions`},
		{"predictions: /x", "m.yml:1: predictions: must be a mapping"},
		{goodMapping + "  ts: /t\n", `m.yml:6: predictions: "ts" stands twice`},
		{goodMapping + "  id: /id\n", "m.yml:6: predictions.id: is no field of predictions; they are rows, when, deploy_hash, disagreement, explained, explanation, features,"},
		{goodMapping + "  score: p\n", `m.yml:6: predictions.score: "p" is no JSON pointer`},
		{goodMapping + "  score: 0.5\n", "m.yml:6: predictions.score: must be a JSON pointer"},
		{goodMapping + "  score:\n", "m.yml:6: predictions.score: must be a JSON pointer"},
		{goodMapping + "  score: /a~2\n", "write ~0 for a tilde"},
		{goodMapping + "  score: {value: 1}\n", `m.yml:6: predictions.score: "value" is none of its options: at`},
		{goodMapping + "  status: {at: /s, value: ok}\n", "m.yml:6: predictions.status: say exactly one of"},
		{goodMapping + "  status: {}\n", "m.yml:6: predictions.status: say exactly one of"},
		{goodMapping + "  latency_ms: {at: /t, unit: minutes}\n", `m.yml:6: predictions.latency_ms: unit "minutes" is none of s, ms, us, ns`},
		{goodMapping + "  latency_ms: {value: fast}\n", `m.yml:6: predictions.latency_ms: the value "fast" is no number`},
		{goodMapping + "  weight: {value: 0}\n", "m.yml:6: predictions.weight:"},
		{goodMapping + "  propensity: {value: 0}\n", "m.yml:6: predictions.propensity:"},
		{goodMapping + "  propensity: {at: /p, unit: share}\n", `"unit" is none of its options: at, value`},
		{goodMapping + "  stage: {value: live}\n", `m.yml:6: predictions.stage: "live" is none of production`},
		{goodMapping + "  stage: {value: ''}\n", `m.yml:6: predictions.stage: "" is none of production`},
		{goodMapping + "  status: {value: ''}\n", "m.yml:6: predictions.status: the value is empty"},
		{goodMapping + "  predicted: {at: /p, classes: maybe}\n", "m.yml:6: predictions.predicted.classes:"},
		{goodMapping + "  when: {at: /k}\n", "m.yml:6: predictions.when: say where"},
		{goodMapping + "  features: {nested: keep}\n", `m.yml:6: predictions.features.nested: "keep"`},
		{goodMapping + "  features: {arrays: [{at: /v}]}\n", "m.yml:6: predictions.features.arrays: say where the array stands"},
		{goodMapping + "  features: {named: {\"\": /v}}\n", "m.yml:6: predictions.features.named: a name has 1 to 256 bytes"},
		{goodMapping + "  segments: {tier: {unit: s}}\n", `m.yml:6: predictions.segments.tier: "unit" is none of its options`},
		{goodMapping + "  label: /l\n", "m.yml:6: predictions.label: is no field of predictions"},
		{goodMapping + "x: &a {}\n", "m.yml:6: x:"},
		{strings.Replace(goodMapping, "/ts", "{from: kafka}", 1), `m.yml:5: predictions.ts.from: "kafka" is not record`},
		{strings.Replace(goodMapping, "/ts", "{at: /t, unit: sec}", 1), `m.yml:5: predictions.ts: unit "sec" is none of rfc3339, s, ms, us, ns`},
		{strings.Replace(goodMapping, "  ts: /ts\n", "", 1), "m.yml:1: predictions.ts: say where it stands"},
		{goodMapping + "labels: {prediction_id: /id, model: /m, ts: /t, label: /l}\n", "m.yml:6: labels: holds of the source does not name them"},
	} {
		s := Source{Format: FormatMapping, Holds: []Kind{KindPredictions}, Mapping: Mapping{MappingFile: "m.yml", MappingText: tt.text}}
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\n%v, want %s", tt.text, err, tt.want)
		}
	}
}

func TestMappingAndSource(t *testing.T) {
	s := Source{Format: FormatMapping, Holds: []Kind{KindPredictions}, Mapping: Mapping{MappingFile: "m.yml", MappingText: goodMapping}}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	s.Model = "other"
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "predictions.model: the source of the topic sets it too") {
		t.Errorf("a model named twice: %v", err)
	}
	s.MappingText = strings.Replace(goodMapping, "  model: {value: m}\n", "", 1)
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

// Change data capture writes a record without a value for each deleted row.
func TestTombstonesAreSkipped(t *testing.T) {
	s := Source{Format: FormatMapping, Holds: []Kind{KindPredictions}, Mapping: Mapping{MappingFile: "m.yml", MappingText: goodMapping}}
	d, columns := openShape(t, s)
	if err := d.Append(Record{Known: testKnown}); err != nil || columns.Tally().Skipped != 1 {
		t.Errorf("a tombstone: %v, %d skipped", err, columns.Tally().Skipped)
	}
	if err := d.Append(Record{Known: testKnown, Value: []byte{}}); err == nil || columns.Tally().Skipped != 1 {
		t.Errorf("an empty value: %v, %d skipped", err, columns.Tally().Skipped)
	}
}

// What the file says is part of the identity, where it lies is not.
func TestMappingIdentity(t *testing.T) {
	dir := t.TempDir()
	identity := func(name, text string) string {
		s := Source{Topic: "t", Format: FormatMapping, Holds: []Kind{KindPredictions}}
		s.MappingFile = filepath.Join(dir, name)
		if err := os.WriteFile(s.MappingFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.ReadFiles(); err != nil {
			t.Fatal(err)
		}
		return s.Identity()
	}
	one := identity("a.yml", goodMapping)
	if other := identity("b.yml", goodMapping); other != one {
		t.Errorf("the same mapping elsewhere is another one: %s, %s", one, other)
	}
	if other := identity("a.yml", goodMapping+"  score: /s\n"); other == one {
		t.Error("another mapping is the same")
	}
	if err := (&Source{Mapping: Mapping{MappingFile: filepath.Join(dir, "none.yml")}}).ReadFiles(); err == nil || !strings.Contains(err.Error(), "mapping_file") {
		t.Errorf("a missing file: %v", err)
	}
}
