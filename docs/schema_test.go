package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// known is the Kafka timestamp of the test's records, and now an event time that
// goes with it.
const (
	known = 1_790_000_000_000
	now   = "1790000000000"
)

// texts are JSON values that the fields are tried with. Texts that look like a
// time are left out where the schema's format and the decoder's bounds differ.
func texts() []string {
	return []string{
		`null`, `true`, `false`, `0`, `1`, `-1`, `0.5`, `1e9`, `1e10`, `1e300`, `""`, `"a"`, `"production"`, `"shadow"`, `"test"`, `"2026-09-21T14:13:20Z"`, now, now + `.0`,
		now + `.5`, `"` + strings.Repeat("x", 256) + `"`, `"` + strings.Repeat("x", 257) + `"`, `[]`, `[1]`, `{}`, `{"a":1}`, `{"a":null,"b":"x","c":true}`,
		`{"a":{"b":1}}`, `{"a":[1]}`, `{"":1}`, `{"a":"` + strings.Repeat("x", 257) + `"}`,
	}
}

// fields are those of every kind of event, beside the values that make it valid.
func fields() map[string][][2]string {
	return map[string][][2]string{
		"prediction": {
			{"prediction_id", `"p"`}, {"model", `"m"`}, {"deploy_hash", `"d"`}, {"ts", now}, {"stage", ""}, {"features", ""}, {"segments", ""},
			{"score", ""}, {"predicted", ""}, {"latency_ms", ""}, {"status", ""}, {"weight", ""}, {"propensity", ""},
			{"votes", ""}, {"scores", ""}, {"disagreement", ""}, {"explained", ""}, {"explanation", ""}, {"unheard_of", ""},
		},
		"kpi":   {{"model", `"m"`}, {"name", `"revenue"`}, {"ts", now}, {"value", "1"}, {"segment", ""}, {"unheard_of", ""}},
		"label": {{"prediction_id", `"p"`}, {"model", `"m"`}, {"ts", now}, {"label", `"late"`}, {"unheard_of", ""}},
		"deployment": {
			{"model", `"m"`}, {"deploy_hash", `"d"`}, {"ts", now}, {"stage", ""}, {"version", ""}, {"by", ""}, {"commit", ""},
			{"dataset_hash", ""}, {"feature_job", ""}, {"note", ""}, {"unheard_of", ""},
		},
	}
}

// TestSchemaSaysWhatTheDecoderTakes tries every field with every value, and
// thousands of events of several: the published schema accepts what ingest
// accepts and refuses what it refuses.
func TestSchemaSaysWhatTheDecoderTakes(t *testing.T) {
	kinds := schemas(t)
	for kind, list := range fields() {
		for i := range list {
			for _, value := range append(texts(), "") {
				compare(t, kinds[kind], kind, event(list, map[int]string{i: value}))
			}
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 5000 {
			changed := map[int]string{}
			for range 1 + random.IntN(4) {
				changed[random.IntN(len(list))] = texts()[random.IntN(len(texts()))]
			}
			compare(t, kinds[kind], kind, event(list, changed))
		}
		if t.Failed() {
			return
		}
	}
	for _, value := range []string{`null`, `[]`, `1`, `"a"`} {
		compare(t, kinds["label"], "label", value)
	}
}

// event writes an event with some fields changed; an empty value leaves one out.
func event(list [][2]string, changed map[int]string) string {
	var members []string
	for i, f := range list {
		value, ok := changed[i]
		if !ok {
			value = f[1]
		}
		if value != "" {
			members = append(members, fmt.Sprintf("%q:%s", f[0], value))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// schemas compiles the definition of every kind.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("events.json", document); err != nil {
		t.Fatal(err)
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, kind := range []string{"prediction", "label", "deployment", "kpi"} {
		if compiled[kind], err = compiler.Compile("events.json#/$defs/" + kind); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

// compare asks the schema and the decoder about one event.
func compare(t *testing.T, schema *jsonschema.Schema, kind, text string) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	bySchema := schema.Validate(value)
	var decoder decode.Decoder
	switch kind {
	case "prediction":
		decoder = decode.NewJSONPredictions(decode.DefaultLimits())
	case "label":
		decoder = decode.NewJSONLabels(decode.DefaultLimits())
	case "kpi":
		decoder = decode.NewJSONKPIs(decode.DefaultLimits())
	default:
		decoder = decode.NewJSONDeployments(decode.DefaultLimits())
	}
	byDecoder := decoder.Append(decode.Record{Known: known, Value: []byte(text)})
	if (bySchema == nil) != (byDecoder == nil) {
		t.Errorf("%s %.300s\n decoder: %v\n schema: %v", kind, text, byDecoder, bySchema)
	}
}

// TestSchemaNamesEveryField holds the schema to the fields that the test tries.
func TestSchemaNamesEveryField(t *testing.T) {
	text, err := os.ReadFile("events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct {
			Properties map[string]json.RawMessage `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for kind, list := range fields() {
		for name := range schema.Defs[kind].Properties {
			if !slices.ContainsFunc(list, func(f [2]string) bool { return f[0] == name }) {
				t.Errorf("%s.%s is in the schema and not tried", kind, name)
			}
		}
		if got, want := len(schema.Defs[kind].Properties), len(list)-1; got != want {
			t.Errorf("%s has %d fields in the schema, want %d", kind, got, want)
		}
	}
}
