package ask

import (
	"slices"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

func TestExpressions(t *testing.T) {
	for _, good := range []string{
		"label != predicted", "avg(score)", "sumIf(numbers['amount'], label = 'fraud' AND predicted = 'ok') / count()",
		"case when score > 0.5 then 1 else 0 end", "label in ('a', 'b-c', 'it is')", "quantile(0.9)(abs(label_value - predicted_value))", "-1e-3 * correct % 2",
		"countIf(toHour(ts) between 9 and 17) / count()", "label_value is not null and has(segments, 'region=eu')",
	} {
		if _, err := ParseExpression(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "  ", "1)", "(1", "[1)", "score -- comment", "score /* x", "x -> x", "(select 1)", "(SELECT password FROM system.users)", "file('/etc/passwd')", "url('http://a')",
		"score; drop table labels", "label in labels", "label in (labels)", "label in (select 1)", "label IN\n(label)", "{x:String}", "score settings readonly = 0", "a.b", "predictions.score", "`score`", `"score"`,
		"'a\\'b'", "'a", "'{model:String}'", "'?'", "'/*labelled*/'", "'--'", "sleep(3)", "dictGet('a', 'b', 1)", "throwIf(1)", "arrayJoin([1])", "sum", "score()", "count", "1a", "toString", "known", "@x", "$1", "score ? 1", "currentUser()", "avg(score) format JSON", "avg(score) as x",
		"in(label, labels)", strings.Repeat("1+", 1500) + "1", "x\x00", "é",
	} {
		if e, err := ParseExpression(bad); err == nil {
			t.Errorf("%q is taken: %+v", bad, e)
		}
	}
	named, err := ParseExpression("avg(numbers['car value']) + countIf(categories [ 'make' ] = 'x') + numbers['y'] + has(segments, 'region=eu')")
	if err != nil || !slices.Equal(named.numbers, []string{"car value", "y"}) || !slices.Equal(named.categories, []string{"make"}) {
		t.Errorf("%+v, %v", named, err)
	}
	e, err := ParseExpression("numbers['a'] > 3")
	if err != nil || !e.features || e.text != "avgWeighted(toFloat64(numbers['a'] > 3), requests)" {
		t.Errorf("%+v, %v", e, err)
	}
}

// FuzzParseExpression: what is taken has no character that SQL or the driver could
// read as more than an expression, outside of words of the lists.
func FuzzParseExpression(f *testing.F) {
	for _, seed := range []string{"avg(score)", "label in ('a')", "'--' = label", "case when 1 then 2 end", "quantile(0.5)(score)", "a'b'c", "1e+5", "[1, 2][1]", "((("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpression(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(e.text, "{}?@$\\\x00") || strings.ContainsAny(unquoted(e.text), ";`\"#") || strings.Contains(e.text, "--") || strings.Contains(e.text, "/*") || strings.Contains(unquoted(e.text), "->") {
			t.Errorf("%q is taken", text)
		}
		depth, quoted := 0, false
		for _, r := range e.text {
			switch {
			case r == '\'':
				quoted = !quoted
			case quoted:
			case r == '(' || r == '[':
				depth++
			case r == ')' || r == ']':
				depth--
			}
			if depth < 0 {
				t.Fatalf("%q leaves its parentheses", text)
			}
		}
		if depth != 0 || quoted {
			t.Errorf("%q is not closed", text)
		}
		for _, word := range strings.FieldsFunc(unquoted(e.text), func(r rune) bool { return !letter(byte(r)) && !digit(byte(r)) }) {
			switch strings.ToLower(word) {
			case "select", "from", "union", "settings", "format", "file", "url", "into", "with", "table", "labels", "outcomes":
				t.Errorf("%q holds %s", text, word)
			}
		}
	})
}

func unquoted(text string) string {
	var out strings.Builder
	for i, part := range strings.Split(text, "'") {
		if i%2 == 0 {
			out.WriteString(part + " ")
		}
	}
	return out.String()
}

func TestDeclarationsAreChecked(t *testing.T) {
	if err := fraud().Validate("region"); err != nil {
		t.Error(err)
	}
	for want, d := range map[string]Declaration{
		"quality.task: \"x\"":                        {Task: "x"},
		"quality.positive: empty":                    {Task: Binary},
		"quality.positive: \"a\"":                    {Positive: "a"},
		"quality.metrics[0]: \"rmse\"":               {Task: Binary, Positive: "a", Metrics: []metric.ID{"rmse"}},
		"quality.k: -1":                              {K: -1},
		"quality.quantile: 2":                        {Quantile: 2},
		"quality.values[1]: predicted":               {Values: []Worth{{"a", "b", 1}, {"a", "b", 2}}},
		`quality.values: "kept", "not_canceled" are`: {Task: Binary, Positive: "canceled", Values: []Worth{{"canceled", "not_canceled", -20}, {"kept", "canceled", -400}}},
		"quality.protected: fairness":                {Protected: []Protected{{Segment: "region"}}},
		"quality.protected[0].segment: \"age\"":      {Task: Binary, Positive: "a", Protected: []Protected{{Segment: "age"}}},
		"quality.custom[0].name: \"A\"":              {Custom: []Custom{{"A", "avg(score)"}}},
		"quality.custom[0].name: \"accuracy\"":       {Custom: []Custom{{"accuracy", "avg(score)"}}},
		"quality.custom[0].sql: expression \"a\"":    {Custom: []Custom{{"a", "a"}}},
	} {
		if err := d.Validate("region"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", d, err, want)
		}
	}
	// Of what task, decides which metrics there are: unknown, it is the one mistake.
	if err := (Declaration{Task: "binari", Metrics: []metric.ID{metric.Recall}}).Validate(); err == nil || strings.Contains(err.Error(), "no metric") {
		t.Errorf("an unknown task says %v", err)
	}
}
