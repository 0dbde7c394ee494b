package privacy

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// read is a configuration as the service reads it, with its mistakes.
func read(text string) (c Config, err error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil {
		return c, err
	}
	return c, c.Validate()
}

func TestConfigReadsYAML(t *testing.T) {
	got, err := read(`
keys_file: keys
models:
  - model: a
    prediction_id: hash
    raw_rate: 0.25
    features: {name: drop, email: hash, city: {truncate: 3}, age: {truncate: 0.5}, "*": keep}
    segments: {"*": drop}
  - model: b
`)
	want := Config{KeysFile: "keys", Models: []Policy{
		{Model: "a", PredictionID: Hash, RawRate: 0.25,
			Features: map[string]Rule{"name": {Action: Drop}, "email": {Action: Hash}, "city": {Truncate, 3}, "age": {Truncate, 0.5}, "*": {Action: Keep}},
			Segments: map[string]Rule{"*": {Action: Drop}}},
		{Model: "b"},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if !got.Samples() || got.Models[1].rate() != 1 {
		t.Errorf("samples %t, rate of b %g", got.Samples(), got.Models[1].rate())
	}
}

// What is wrong must never mean keep.
func TestBadRules(t *testing.T) {
	model := func(lines string) string { return "keys_file: k\nmodels:\n  - model: m\n" + lines }
	for text, want := range map[string]string{
		model("    features:\n      a: keep\n      b: hide"):               "line 6: a rule is keep, drop, hash, or truncate",
		model("    features:\n      a: Drop"):                              "line 5: a rule is",
		model("    features:\n      a: truncate"):                          "line 5: a rule is",
		model("    features:\n      a: {truncate: 0}"):                     "line 5: a rule is",
		model("    features:\n      a: {truncate: -1}"):                    "line 5: a rule is",
		model("    features:\n      a: {truncate: .nan}"):                  "line 5: a rule is",
		model("    features:\n      a: {truncate: .inf}"):                  "line 5: a rule is",
		model("    features:\n      a: {truncate: many}"):                  "line 5: a rule is",
		model("    features:\n      a: {truncate: 1, hash: 2}"):            "line 5: a rule is",
		model("    features:\n      a: {hash: 2}"):                         "line 5: a rule is",
		model("    segments:\n      a: [drop]"):                            "line 5: a rule is",
		model("    features:\n      a:"):                                   "a",
		model("    segments:\n      a: ~"):                                 "a",
		model("    raw_rate: 0"):                                           "line 4: a raw_rate is above 0",
		model("    raw_rate: 1.5"):                                         "line 4: a raw_rate is above 0",
		model("    raw_rate: .nan"):                                        "line 4: a raw_rate is above 0",
		model("    prediction_id: drop"):                                   `models[0].prediction_id: "drop" is neither`,
		model("    feature: {a: drop}"):                                    "line 4: field feature not found",
		model("  - model: m"):                                              `models[1].model: "m" has two policies`,
		"models: [{raw_rate: 0.5}]":                                        "models[0].model: empty",
		"models: [{model: m, prediction_id: hash}]":                        `keys_file: missing; the policy of "m" hides values`,
		"models: [{model: m, features: {a: hash}}]":                        "keys_file: missing",
		"models: [{model: m, features: {a: drop}}]":                        "keys_file: missing",
		"models: [{model: m, segments: {\"*\": hash}}]":                    "keys_file: missing",
		"keys_file: k\nmodels: [{model: m, features: {a: drop, a: keep}}]": "already defined",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for name, p := range map[string]Policy{
		"features.f": {Model: "m", Features: map[string]Rule{"f": {}}},
		"segments.s": {Model: "m", Segments: map[string]Rule{"s": {Action: Truncate}}},
		"raw_rate":   {Model: "m", RawRate: Rate(math.NaN())},
	} {
		if err := (Config{Models: []Policy{p}}).Validate(); err == nil || !strings.Contains(err.Error(), "models[0]."+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever makes other rows of an event makes another plan.
func TestIdentityTellsPoliciesApart(t *testing.T) {
	seen := map[string]string{}
	try := func(name, config, keys string) {
		t.Helper()
		c, err := read(config)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if keys != "" {
			c.KeysFile = filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(c.KeysFile, []byte(keys), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f, err := New(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		id := f.Identity()
		if strings.Contains(id, secret) {
			t.Errorf("%s: the identity holds the secret", name)
		}
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s are one", name, other)
		}
		seen[id] = name
	}
	try("none", "models: []", "")
	try("plain", "models: [{model: m}]", "")
	try("other model", "models: [{model: n}]", "")
	try("rate", "models: [{model: m, raw_rate: 0.5}]", "")
	try("drop", "keys_file: k\nmodels: [{model: m, features: {a: drop}}]", "k "+secret)
	try("drop b", "keys_file: k\nmodels: [{model: m, features: {b: drop}}]", "k "+secret)
	try("segment", "keys_file: k\nmodels: [{model: m, segments: {a: drop}}]", "k "+secret)
	try("truncate 3", "keys_file: k\nmodels: [{model: m, features: {a: {truncate: 3}}}]", "k "+secret)
	try("truncate 4", "keys_file: k\nmodels: [{model: m, features: {a: {truncate: 4}}}]", "k "+secret)
	try("key", "keys_file: k\nmodels: [{model: m}]", "k "+secret)
	try("other secret", "keys_file: k\nmodels: [{model: m}]", "k x"+secret)
	try("other name", "keys_file: k\nmodels: [{model: m}]", "l "+secret)
	try("other time", "keys_file: k\nmodels: [{model: m}]", "k "+secret+" 2026-01-01T00:00:00Z")
	try("id", "keys_file: k\nmodels: [{model: m, prediction_id: hash}]", "k "+secret)
}
