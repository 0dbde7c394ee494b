package decode

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// otlp is a message of log records.
func otlp(records ...string) Record {
	return Record{Known: testKnown, Value: []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + strings.Join(records, ",") + `]}]}]}`)}
}

// operation and relevance are log records of an operation and of its evaluation.
func operation(ids string, attributes ...string) string {
	return fmt.Sprintf(`{"timeUnixNano":"%d000000",%s"eventName":"gen_ai.client.inference.operation.details","attributes":[%s]}`, testKnown, ids, strings.Join(attributes, ","))
}

func relevance(ids string, attributes ...string) string {
	attributes = append(attributes, `{"key":"gen_ai.evaluation.name","value":{"stringValue":"Relevance"}}`, `{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":1}}`)
	return fmt.Sprintf(`{"timeUnixNano":"%d000000",%s"eventName":"gen_ai.evaluation.result","attributes":[%s]}`, testKnown, ids, strings.Join(attributes, ","))
}

const (
	inSpan     = `"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",`
	inSpanUp   = `"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",`
	inNoSpan   = `"traceId":"00000000000000000000000000000000","spanId":"0000000000000000",`
	responseID = `{"key":"gen_ai.response.id","value":{"stringValue":"chatcmpl-1"}}`
)

// An evaluation bears the identifier of its prediction or is refused: one under
// another would be stored, and never be joined.
func TestEvaluationsFindTheirPrediction(t *testing.T) {
	const span = "5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174"
	for _, tt := range []struct {
		name           string
		by             Identifier
		prediction     string
		evaluation     string
		id             string // of both
		missing, field string
	}{
		{"both with the response", "", operation(inSpan, responseID), relevance("", responseID), "chatcmpl-1", "", ""},
		{"said outright", IdentifierResponse, operation(inSpan, responseID), relevance(inSpan, responseID), "chatcmpl-1", "", ""},
		{"only in the span", "", operation(inSpan, responseID), relevance(inSpan), "chatcmpl-1", "label", "gen_ai.response.id"},
		{"failed without a span", "", operation(inNoSpan), relevance("", responseID), "chatcmpl-1", "prediction", "gen_ai.response.id"},
		{"both in the span", IdentifierSpan, operation(inSpan, responseID), relevance(inSpan), span, "", ""},
		{"the span in capitals", IdentifierSpan, operation(inSpan), relevance(inSpanUp, responseID), span, "", ""},
		{"evaluation without its span", IdentifierSpan, operation(inSpan, responseID), relevance("", responseID), span, "label", "spanId"},
		{"prediction without its span", IdentifierSpan, operation(inNoSpan, responseID), relevance(inSpan, responseID), span, "prediction", "spanId"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, into := openTest(t, Source{Format: FormatGenAI, Model: "m", Deploy: "d", Holds: []Kind{KindPredictions, KindLabels}, GenAI: GenAI{Evaluation: "Relevance", Identifier: tt.by}})
			err := d.Append(otlp(tt.prediction, tt.evaluation))
			var some *Refusals
			if tt.missing == "" && err != nil || tt.missing != "" && !errors.As(err, &some) {
				t.Fatal(err)
			}
			if some != nil && (some.Events[0].Reason != MissingField || !strings.HasSuffix(some.Events[0].Field, tt.field)) {
				t.Errorf("%v, want %s missing", err, tt.field)
			}
			if p := into.Predictions; tt.missing != "prediction" && (p.Len() != 1 || string(p.ID.At(0)) != tt.id) || tt.missing == "prediction" && p.Len() != 0 {
				t.Errorf("the prediction became\n%s", dump(into))
			}
			if l := into.Labels; tt.missing != "label" && (l.Len() != 1 || string(l.ID.At(0)) != tt.id) || tt.missing == "label" && l.Len() != 0 {
				t.Errorf("the label became\n%s", dump(into))
			}
		})
	}
}

func TestFinishReasons(t *testing.T) {
	for name, tt := range map[string]struct{ value, want string }{
		"array":         {`{"arrayValue":{"values":[{"stringValue":"stop"},{"stringValue":"length"}]}}`, `category "gen_ai.response.finish_reasons" = "stop,length"`},
		"one text":      {`{"stringValue":"stop"}`, `category "gen_ai.response.finish_reasons" = "stop"`},
		"long":          {`{"arrayValue":{"values":[{"stringValue":"` + strings.Repeat("é", 200) + `"}]}}`, strings.Repeat("é", 200)},
		"none":          {`{"arrayValue":{}}`, `null "gen_ai.response.finish_reasons"`},
		"empty text":    {`{"stringValue":""}`, `null "gen_ai.response.finish_reasons"`},
		"array of some": {`{"arrayValue":{"values":[{"kvlistValue":{}}]}}`, ""},
		"object":        {`{"kvlistValue":{"values":[]}}`, ""},
	} {
		d, into := openTest(t, Source{Format: FormatGenAI, Model: "m", Deploy: "d"})
		err := d.Append(otlp(operation("", responseID, `{"key":"gen_ai.response.finish_reasons","value":`+tt.value+`}`)))
		if refused := err != nil && strings.Contains(err.Error(), "wrong_type"); refused != (tt.want == "") || !strings.Contains(dump(into), tt.want) {
			t.Errorf("%s: %v\n%s", name, err, dump(into))
		}
	}
}
