package sample

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

var at = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func run(t *testing.T, kind Kind, text string) Report {
	t.Helper()
	report, err := Check([]byte(text), kind, at, decode.DefaultLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// event is a prediction with more fields.
func event(id, more string) string {
	return `{"prediction_id":"` + id + `","model":"m","deploy_hash":"d","stage":"canary","ts":"2026-03-01T09:59:59Z","score":0.5` + more + "}"
}

func TestUnderstood(t *testing.T) {
	for _, c := range []struct {
		kind        Kind
		text, field string
		want        string
	}{
		{Prediction, event("1", `,"features":{"a":1.5}`), "features.a", "numeric 1.5"},
		{Prediction, event("1", `,"features":{"a":"x"}`), "features.a", `categorical "x"`},
		{Prediction, event("1", `,"features":{"a":true}`), "features.a", `categorical "true"`},
		{Prediction, event("1", `,"features":{"a":null}`), "features.a", "null"},
		{Prediction, event("1", `,"features":{"a":NaN}`), "features.a", "numeric NaN"},
		{Prediction, event("1", `,"features":{"a\u001b[2J":1}`), `"features.a\x1b[2J"`, "numeric 1"},
		{Prediction, event("1", `,"segments":{"region":"eu"}`), "segments.region", `"eu"`},
		{Prediction, event("1", `,"predicted":9.5`), "predicted", "number 9.5"},
		{Prediction, event("1", `,"predicted":false`), "predicted", `class "false"`},
		{Prediction, event("1", ``), "predicted", "none"},
		{Prediction, event("1", ``), "stage", "canary"},
		{Prediction, event("1", ``), "weight", "1"},
		{Prediction, event("1", ``), "ts", "2026-03-01T09:59:59.000Z"},
		{Label, `{"prediction_id":"1","model":"m","ts":1772359200000,"label":"late"}`, "label", `class "late"`},
		{Label, `{"prediction_id":"1","model":"m","ts":1772359200000,"label":null}`, "label", "null: withdraws the labels before it"},
		{Deployment, `{"model":"m","deploy_hash":"d","ts":1772359200000,"note":"n"}`, "note", `"n"`},
	} {
		e := run(t, c.kind, c.text).Events[0]
		if !slices.Contains(e.Fields, Field{c.field, c.want}) {
			t.Errorf("%s: understood %v, want %s %s; refused %v", c.text, e.Fields, c.field, c.want, e.Refused)
		}
	}
}

// many is a sample of predictions, each with a value of feature f.
func many(value func(i int) string) string {
	var b strings.Builder
	for i := range manyEvents {
		b.WriteString(event(string(rune('a'+i)), `,"features":{"f":`+value(i)+`}`) + "\n")
	}
	return b.String()
}

func TestHints(t *testing.T) {
	letters := func(i int) string { return `"v` + string(rune('a'+i)) + `"` }
	for name, c := range map[string]struct{ text, want string }{
		"no hints":          {event("1", `,"features":{"a":1}`), ""},
		"no stage":          {`{"prediction_id":"1","model":"m","deploy_hash":"d","ts":"2026-03-01T09:59:59Z","score":0.5,"features":{"a":1}}`, "no stage"},
		"unknown":           {event("1", `,"features":{"a":1},"colour":1`), `"colour" is skipped; features belong`},
		"unknown, NaN":      {event("1", `,"features":{"a":NaN},"colour":1`), "1 unknown top-level fields"},
		"unknown, meant":    {event("1", `,"features":{"a":1},"latencyMs":1`), "is it latency_ms?"},
		"old":               {strings.Replace(event("1", `,"features":{"a":1}`), "2026-03-01T09", "2026-02-01T09", 1), "before the Kafka timestamp"},
		"ahead":             {strings.Replace(event("1", `,"features":{"a":1}`), "T09:59", "T10:30", 1), "after the Kafka timestamp"},
		"seconds":           {strings.Replace(event("1", ""), `"2026-03-01T09:59:59Z"`, "1772359200", 1), "Unix seconds"},
		"microseconds":      {strings.Replace(event("1", ""), `"2026-03-01T09:59:59Z"`, "1772359200000000", 1), "Unix microseconds"},
		"nanoseconds":       {strings.Replace(event("1", ""), `"2026-03-01T09:59:59Z"`, "1772359200000000000", 1), "ts looks like Unix nanoseconds"},
		"quoted ts":         {strings.Replace(event("1", ""), "2026-03-01T09:59:59Z", "1772359200000", 1), "leave out the quotes"},
		"score NaN":         {strings.Replace(event("1", `,"features":{"a":1}`), "0.5", "NaN", 1), "score is NaN: stored, and counted as such"},
		"rounded":           {event("1", `,"features":{"a":1234567890123456789}`), "features.a is a whole number from 2^53 on: it is rounded to 1234567890123456768"},
		"exact":             {event("1", `,"features":{"a":9007199254740991}`), ""},
		"huge, no integer":  {event("1", `,"features":{"a":1e300}`), ""},
		"no zone":           {strings.Replace(event("1", ""), `59Z"`, `59"`, 1), "and a zone"},
		"no such month":     {strings.Replace(event("1", ""), "-03-", "-13-", 1), `ts is "2026-13-01T09:59:59Z": month out of range`},
		"score":             {strings.Replace(event("1", `,"features":{"a":1}`), "0.5", "17", 1), "score_kinds"},
		"quoted":            {strings.Replace(event("1", ""), "0.5", `"0.5"`, 1), "leave out the quotes"},
		"label":             {`{"prediction_id":"1","model":"m","ts":"2026-03-01T09:59:59Z","label":"late"}`, "--kind=label"},
		"nested":            {event("1", `,"features":{"a":{"b":1}}`), "flatten"},
		"no features":       {event("1", ""), "no event has features"},
		"NaN":               {event("1", `,"features":{"a":NaN}`), "send null"},
		"identifier":        {event("1", `,"features":{"customerId":7}`), "looks like an identifier"},
		"uuid":              {event("1", `,"features":{"a":"6f1f7c1e-5f1c-4f8e-9e11-0c1f0a3b2d4e"}`), "looks like an identifier"},
		"personal":          {event("1", `,"features":{"email_domain":"x"}`), "personal data"},
		"not an identifier": {event("1", `,"features":{"humidity":1,"valid":2,"video":"x"}`), ""},
		"number as text":    {event("1", `,"features":{"a":"12.5"}`), "number sent as text"},
		"changed type":      {event("1", `,"features":{"a":1}`) + "\n" + event("2", `,"features":{"a":"x"}`), "numeric in 1 events and categorical in 1"},
		"twice":             {event("1", `,"features":{"a":1}`) + "\n" + event("1", `,"features":{"a":1}`), "stands 2 times"},
		"cardinality":       {many(letters), "10 distinct values"},
		"few values":        {many(func(i int) string { return letters(i % 3) }), ""},
		"latency":           {event("1", `,"features":{"a":1},"latency_ms":-1`), "milliseconds"},
		"nothing predicted": {strings.Replace(event("1", `,"features":{"a":1}`), `,"score":0.5`, "", 1), "neither score nor predicted"},
	} {
		report := run(t, Prediction, c.text)
		hints := slices.Clone(report.Hints)
		for _, e := range report.Events {
			hints = append(hints, e.Hints...)
		}
		all := strings.Join(hints, "\n")
		if !strings.Contains(all, c.want) || (c.want == "" && all != "") {
			t.Errorf("%s: hints %q, want %q", name, all, c.want)
		}
	}
}

// A reading of business is as old as it says.
func TestTimeOfKPIs(t *testing.T) {
	for ts, want := range map[string]string{"2026-03-01T09:00:00Z": "", "2026-02-25T09:00:00Z": "before the Kafka timestamp", "2026-03-01T10:30:00Z": "after the Kafka timestamp"} {
		e := run(t, KPI, `{"model":"m","name":"revenue","ts":"`+ts+`","value":1}`).Events[0]
		if all := strings.Join(e.Hints, "\n"); e.Refused != nil || !strings.Contains(all, want) || want == "" && all != "" {
			t.Errorf("%s: %v, hints %q, want %q", ts, e.Refused, all, want)
		}
	}
}

// Every refusal is the decoder's own, word for word, and lines keep their
// numbers.
func TestRefusalsAreTheDecoders(t *testing.T) {
	bad := []string{`{"prediction_id":"1"}`, `{`, `[]`, event("1", `,"score":1`), event("1", `,"stage":"x"`), event("", "")}
	report := run(t, Prediction, "\n"+strings.Join(bad, "\n\n"))
	if report.Refused() != len(bad) {
		t.Fatalf("%d of %d are refused", report.Refused(), len(bad))
	}
	for i, e := range report.Events {
		err := decode.NewJSONPredictions(decode.DefaultLimits()).Append(decode.Record{Known: at.UnixMilli(), Value: []byte(bad[i])})
		if err == nil || e.Refused.Error() != err.Error() || e.Line != 2+2*i {
			t.Errorf("line %d: %v, the decoder says %v", e.Line, e.Refused, err)
		}
	}
}

func TestNoEvent(t *testing.T) {
	if _, err := Check([]byte("\n \n"), Prediction, at, decode.DefaultLimits(), nil); !errors.Is(err, ErrNone) {
		t.Errorf("error %v", err)
	}
	if _, err := Check([]byte("{}"), "guess", at, decode.DefaultLimits(), nil); err == nil {
		t.Error("an unknown kind is accepted")
	}
}

// The fields that are known here are those of the published schema.
func TestKnownFieldsAreTheSchemas(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for kind, d := range map[Kind]decoder{Prediction: predictions{}, Label: labels{}, Deployment: deployments{}} {
		var want []string
		for name := range schema.Defs[string(kind)].Properties {
			want = append(want, name)
		}
		got := slices.Clone(d.known())
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: known %v, schema %v", kind, got, want)
		}
	}
}

// Whatever the text, a line is accepted exactly if the decoder accepts it, and
// unknown fields are told exactly if the decoder skips some.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		event("1", `,"features":{"a":1,"b":"x","c":null},"colour":1`), event("1", `,"features":{"a":NaN},"x":{"y":[1]}`),
		`{"prediction_id":"1","model":"m","ts":1772359200,"label":null}`, "{\n}", "\xef\xbb\xbf{}", `{"ts":"2026"}`, "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []Kind{Prediction, Label, Deployment} {
			report, err := Check([]byte(text), kind, at, decode.DefaultLimits(), nil)
			if err != nil {
				continue
			}
			lines := events([]byte(text))
			for _, e := range report.Events {
				accepted, unknown := accepts(kind, lines[e.Line-1])
				if accepted != (e.Refused == nil) {
					t.Fatalf("%s: refused %v, the decoder accepts: %v", lines[e.Line-1], e.Refused, accepted)
				}
				told := strings.Contains(strings.Join(e.Hints, "\n"), "unknown top-level")
				if accepted && told != (unknown > 0) {
					t.Fatalf("%s: hints %q, the decoder skipped %d", lines[e.Line-1], e.Hints, unknown)
				}
			}
		}
	})
}

func accepts(kind Kind, value []byte) (accepted bool, unknown int) {
	rec := decode.Record{Known: at.UnixMilli(), Value: value}
	switch kind {
	case Label:
		d := decode.NewJSONLabels(decode.DefaultLimits())
		return d.Append(rec) == nil, d.Unknown
	case Deployment:
		d := decode.NewJSONDeployments(decode.DefaultLimits())
		return d.Append(rec) == nil, d.Unknown
	}
	d := decode.NewJSONPredictions(decode.DefaultLimits())
	return d.Append(rec) == nil, d.Unknown
}
