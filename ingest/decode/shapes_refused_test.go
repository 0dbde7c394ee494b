package decode

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func shapeOf(t testing.TB, format Format, name string) (Source, string) {
	t.Helper()
	for _, c := range shapeCases() {
		if c.source.Format == format && c.name == name {
			value, err := os.ReadFile(c.path() + ".json")
			if err != nil {
				t.Fatal(err)
			}
			return c.withFiles(t), string(value)
		}
	}
	t.Fatalf("no case %s/%s", format, name)
	return Source{}, ""
}

// Each case changes one thing in an example that is good.
func TestShapeRefusals(t *testing.T) {
	for _, tt := range []struct {
		format    Format
		name      string
		old, text string
		reason    Reason
		field     string
	}{
		{FormatSageMaker, "csv", `"captureData"`, `"captured"`, MissingField, "captureData"},
		{FormatSageMaker, "csv", `"encoding": "CSV"`, `"encoding": "XML"`, BadValue, "captureData.endpointInput.encoding"},
		{FormatSageMaker, "csv", `"encoding": "CSV"`, `"encoding": "BASE64"`, Unparsable, "captureData.endpointInput.data"},
		{FormatSageMaker, "csv", `"encoding": "CSV"`, `"encoding": "JSON"`, Unparsable, "captureData.endpointInput.data"},
		{FormatSageMaker, "csv", `132,25`, `132,\"25`, Unparsable, "captureData.endpointInput.data[0][1]"},
		{FormatSageMaker, "csv", `0.01076381653547287`, `0.1\n0.2`, WrongType, "captureData.endpointOutput.data"},
		{FormatSageMaker, "csv", `0.01076381653547287`, `0.1,0.2`, WrongType, "captureData.endpointOutput.data[0]"},
		{FormatSageMaker, "csv", `0.01076381653547287`, `1e400`, BadValue, "captureData.endpointOutput.data[0][0]"},
		{FormatSageMaker, "csv", `0.01076381653547287`, `-1e-400`, BadValue, "captureData.endpointOutput.data[0][0]"},
		{FormatSageMaker, "csv", `0.01076381653547287`, `-nan`, 0, ""},
		{FormatSageMaker, "csv", `0.01076381653547287`, `\"\"`, BadValue, "predicted"},
		{FormatSageMaker, "csv", `"eventVersion": "0"`, `"eventVersion": "7"`, BadValue, "eventVersion"},
		{FormatSageMaker, "csv", `"eventVersion": "0"`, `"eventVersion": null`, 0, ""},
		{FormatSageMakerTruth, "csv", `"eventVersion": "0"`, `"eventVersion": "1"`, BadValue, "eventVersion"},
		{FormatSageMakerTruth, "csv", `"eventVersion": "0"`, `"eventVersion": 0`, 0, ""},
		{FormatSageMaker, "csv_batch", `0.91,0.12,0.5`, `0.91,0.12`, BadValue, "captureData.endpointOutput.data"},
		{FormatSageMaker, "csv", `"inferenceTime"`, `"time"`, MissingField, "eventMetadata.inferenceTime"},
		{FormatSageMaker, "csv", `2026-09-20T`, `2016-09-20T`, TimeOutOfRange, "ts"},
		{FormatSageMaker, "csv", `"eventId"`, `"id"`, MissingField, "eventMetadata.eventId"},
		{FormatSageMaker, "base64", `"encoding": "BASE64"`, `"encoding": "base64"`, BadValue, "captureData.endpointInput.encoding"},
		{FormatSageMaker, "base64", `text/csv`, `image/png`, BadValue, "captureData.endpointInput.observedContentType"},
		{FormatSageMakerTruth, "csv", `"groundTruthData"`, `"truth"`, MissingField, "groundTruthData"},
		{FormatSageMakerTruth, "csv", `"data": "1"`, `"data": ""`, MissingField, "groundTruthData"},
		{FormatSageMakerTruth, "csv", `"data": "1"`, `"data": "\u0000"`, BadText, "groundTruthData.data"},
		{FormatMLflow, "gateway", `"databricks_request_id"`, `"id"`, MissingField, "databricks_request_id"},
		{FormatMLflow, "gateway", `"request_time"`, `"time"`, MissingField, "request_time"},
		{FormatMLflow, "gateway", `"served_entity_id"`, `"served"`, MissingField, "served_entity_id"},
		{FormatMLflow, "gateway", `[0.91, 0.07]`, `[0.91]`, BadValue, "response.predictions"},
		{FormatMLflow, "gateway", `\"predictions\"`, `\"predictions\": [], \"predictions\"`, DuplicateKey, "response.predictions"},
		{FormatMLflow, "gateway", `0.25`, `1.25`, BadValue, "sampling_fraction"},
		{FormatMLflow, "gateway", `200`, `"200"`, WrongType, "status_code"},
		{FormatMLflow, "inputs_columns", `18`, `18, 19`, BadValue, "request.inputs.city"},
		{FormatMLflow, "legacy", `\"tags\"`, `\"age\"`, DuplicateKey, "request.dataframe_records[0].age"},
		{FormatMLflow, "legacy", `"model_name"`, `"model"`, 0, ""}, // the endpoint's name will do
		{FormatAzureML, "model_inputs", `"type"`, `"kind"`, MissingField, "type"},
		{FormatAzureML, "model_inputs", `onlineEndpoints`, `batchEndpoints`, MissingField, "source"},
		{FormatAzureML, "model_inputs", `"correlationid"`, `"corr"`, 0, ""}, // xrequestid will do
		{FormatAzureML, "inputs_outputs", `"prob"`, `"probs"`, MissingField, "data[0]"},
		{FormatAzureML, "response", `11055.977245525679`, `{"a": 1, "b": 2}`, MissingField, "data[0]"},
		{FormatGenAI, "predictions_only", `"resourceLogs"`, `"resourceSpans"`, MissingField, "resourceLogs"},
		{FormatGenAI, "predictions_only", `"timeUnixNano": "1789998000123456789"`, `"timeUnixNano": "now"`, BadValue, "resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano"},
		{FormatGenAI, "predictions_only", `"intValue": "97"`, `"intValue": "some"`, BadValue, "resourceLogs[0].scopeLogs[0].logRecords[0].attributes[7].value.intValue"},
		{FormatMapping, "flat", `"at"`, `"when"`, MissingField, "ts"},
		{FormatMapping, "flat", `1789985472.345`, `"yesterday"`, BadValue, "at"},
		{FormatMapping, "flat", `"env": "canary"`, `"env": "prod"`, BadValue, "stage"},
		{FormatMapping, "flat", `"env": "canary"`, `"env": ""`, BadValue, "stage"},
		{FormatMapping, "flat", `"status": "ok"`, `"status": ""`, BadValue, "status"},
		{FormatMapping, "flat", `[0.1, -2, 3e-1]`, `[0.1]`, BadValue, "vector"},
		{FormatMapping, "flat", `"id"`, `"no"`, MissingField, "prediction_id"},
		{FormatMapping, "flat", `"sampled": 0.1`, `"sampled": 0`, BadValue, "weight"},
		{FormatMapping, "flat", `"reviewed": 0.05`, `"reviewed": 5`, BadValue, "propensity"},
		{FormatMapping, "flat", `"took_us": 8250`, `"took_us": "8250"`, WrongType, "took_us"},
		{FormatMapping, "rows", `"events"`, `"event"`, MissingField, "rows"},
		{FormatMapping, "mixed", `"truth"`, `"true"`, MissingField, "label"},
	} {
		source, text := shapeOf(t, tt.format, tt.name)
		if !strings.Contains(text, tt.old) {
			t.Errorf("%s/%s: there is no %s", tt.format, tt.name, tt.old)
			continue
		}
		d, columns := openShape(t, source)
		err := d.Append(Record{Known: testKnown, Value: []byte(strings.Replace(text, tt.old, tt.text, 1))})
		var refused *Error
		var some *Refusals
		if errors.As(err, &some) {
			refused = some.Events[0].Error
		} else {
			errors.As(err, &refused)
		}
		name := fmt.Sprintf("%s/%s with %s", tt.format, tt.name, tt.text)
		switch {
		case tt.reason == 0 && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.reason != 0 && (refused == nil || refused.Reason != tt.reason || refused.Field != tt.field || refused.Hint == ""):
			t.Errorf("%s: %v, want %s of %q", name, err, tt.reason, tt.field)
		case some == nil && tt.reason != 0 && strings.Contains(dump(columns), "model"):
			t.Errorf("%s: the columns hold\n%s", name, dump(columns))
		}
	}
}

// A refused row, mended and sent again alone, becomes the row that it would
// have been.
func TestMendedRowKeepsItsIdentity(t *testing.T) {
	for _, tt := range []struct {
		format    Format
		name      string
		bad, good string
		want      string
	}{
		{FormatSageMaker, "row_refused", `[[3]]`, `[[3,4]]`, `prediction "a9d3/1" model "churn"`},
		{FormatSageMaker, "answers_refused", `\"high\"`, `0.25`, `prediction "91c0/1" model "churn"`},
		{FormatSageMakerTruth, "json", `{\"b\":1}`, `7`, `label "order-847/1" model "churn"`},
		{FormatMLflow, "row_refused", `{\"x\":1}`, `4`, `prediction "0c24/1" model "churn"`},
		{FormatAzureML, "row_refused", `[1,2]`, `41`, `prediction "bbbb1111-cc22-3333-44dd-555555eeeeee/1" model "credit-default"`},
		{FormatGenAI, "refused", `"12"`, `"1789998000123456789"`, `prediction "chatcmpl-123" model "gpt-4o"`},
		{FormatMapping, "rows", `"high"`, `0.9`, `prediction "b-7/1" model "rank"`},
	} {
		source, text := shapeOf(t, tt.format, tt.name)
		d, columns := openShape(t, source)
		var some *Refusals
		if err := d.Append(Record{Known: testKnown, Value: []byte(text)}); !errors.As(err, &some) || len(some.Events) != 1 {
			t.Errorf("%s: %v, want one refused event", tt.format, err)
			continue
		}
		mended := strings.Replace(string(some.Events[0].Value), tt.bad, tt.good, 1)
		columns.Reset()
		if err := d.Append(Record{Known: testKnown, Value: []byte(mended)}); err != nil {
			t.Errorf("%s: %v\n%s", tt.format, err, mended)
		}
		if got := dump(columns); !strings.HasPrefix(strings.TrimPrefix(got, "predictions unknown 0 skipped 0\n"), tt.want) {
			t.Errorf("%s: got\n%s", tt.format, got)
		}
	}
}

// What was said in a conversation is in no row and in no dead letter.
func TestGenAIKeepsNoTexts(t *testing.T) {
	for _, name := range []string{"mixed", "refused"} {
		source, text := shapeOf(t, FormatGenAI, name)
		d, columns := openShape(t, source)
		err := d.Append(Record{Known: testKnown, Value: []byte(text)})
		all := dump(columns)
		var some *Refusals
		if errors.As(err, &some) {
			for _, r := range some.Events {
				all += string(r.Value)
			}
		}
		for _, said := range []string{"Paris", "Be short", "names the weather", "get_weather"} {
			if name == "mixed" && !strings.Contains(text, said) {
				t.Fatalf("the example lacks %q", said)
			}
			if strings.Contains(all, said) {
				t.Errorf("%s: %q is kept", name, said)
			}
		}
	}
}

// A record of more bad rows than may stand alone is refused as a whole.
func TestTooManyRefusalsRefuseTheWhole(t *testing.T) {
	source, text := shapeOf(t, FormatSageMaker, "row_refused")
	d, columns := openShape(t, source)
	many := strings.Replace(text, `1,2\n3\n5,6\n`, `1,2\n`+strings.Repeat(`3\n`, maxRefusedEvents+1), 1)
	many = strings.Replace(many, `0.1\n0.2\n0.3`, strings.Repeat(`0.1\n`, maxRefusedEvents+2), 1)
	err := d.Append(Record{Known: testKnown, Value: []byte(many)})
	var refused *Error
	if !errors.As(err, &refused) || columns.Predictions.Len() != 0 || columns.Predictions.Model.Dict.Len() != 0 {
		t.Errorf("%v with %d rows, want the whole refused", err, columns.Predictions.Len())
	}
}

// A record that is refused as a whole says how many events went with it.
func TestAWholeRefusalCountsItsEvents(t *testing.T) {
	one := `{"databricks_request_id":"r","timestamp_ms":1790000000000,"status_code":200,"served_entity_id":"d","request":%q}`
	rows := func(request string) []byte { return fmt.Appendf(nil, one, request) }
	mlflow := Source{Format: FormatMLflow, Model: "m", Holds: []Kind{KindPredictions}}
	streams := Source{Format: FormatArrow, Model: "m", Deploy: "d", Holds: []Kind{KindPredictions}}
	for name, c := range map[string]struct {
		source Source
		value  []byte
		events int
	}{
		"rows":     {mlflow, rows(`{"instances":[{"a":[]},{"a":[]},{"a":[]}]}`), 3},
		"one row":  {mlflow, rows(`{"instances":[{"a":[]}]}`), 1},
		"no rows":  {mlflow, rows(`{"instances":[]}`), 1},
		"a stream": {streams, streamOf(t, texts("prediction_id", null, null), at(2)), 2},
		"an event": {streams, streamOf(t, texts("prediction_id", null), at(1)), 1},
	} {
		d, _ := openShape(t, c.source)
		err := d.Append(Record{Known: testKnown, Value: c.value})
		events := 1
		if whole := new(Whole); errors.As(err, &whole) {
			events = whole.Events
		}
		if refused := new(Error); !errors.As(err, &refused) || refused.Hint == "" || events != c.events {
			t.Errorf("%s: %d events, %v, want %d", name, events, err, c.events)
		}
	}
}

func TestShapesDoNotAllocate(t *testing.T) {
	for _, c := range shapeCases() {
		source, text := shapeOf(t, c.source.Format, c.name)
		d, columns := openShape(t, source)
		rec := Record{Known: testKnown, Value: []byte(text)}
		if err := d.Append(rec); err != nil || c.name == "bad_request" {
			continue // what is refused, or is no JSON inside, may
		}
		n := allocations(20, 0, func() {
			columns.Reset()
			if err := d.Append(rec); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("%s/%s: %v allocations a record", c.source.Format, c.name, n)
		}
	}
}

func TestShapeSourcesSayWhatIsWrong(t *testing.T) {
	predictions, labels := []Kind{KindPredictions}, []Kind{KindLabels}
	for _, tt := range []struct {
		source Source
		want   string
	}{
		{Source{Format: FormatSageMaker, Holds: predictions, Deploy: "d"}, "model:"},
		{Source{Format: FormatSageMaker, Holds: predictions, Model: "m"}, "deploy_hash:"},
		{Source{Format: FormatSageMaker, Holds: labels, Model: "m", Deploy: "d"}, "holds:"},
		{Source{Format: FormatSageMakerTruth, Holds: labels}, "model:"},
		{Source{Format: FormatMLflow, Holds: predictions, Tabular: Tabular{Score: "x"}}, "score:"},
		{Source{Format: FormatMLflow, Holds: predictions, Tabular: Tabular{Answers: "x"}}, "answers:"},
		{Source{Format: FormatKServe, Holds: predictions, Deploy: "d", Tabular: Tabular{Answers: "/x"}}, "answers or sampled: kserve has no such option"},
		{Source{Format: FormatMLflow, Holds: predictions, Tabular: Tabular{Output: "both"}}, "output:"},
		{Source{Format: FormatMLflow, Holds: predictions, Tabular: Tabular{Output: "score", Score: "/x"}}, "output:"},
		{Source{Format: FormatMLflow, Holds: predictions, Tabular: Tabular{Sampled: 20}}, "sampled:"},
		{Source{Format: FormatMLflow, Holds: predictions, Tabular: Tabular{Nested: "keep"}}, "nested:"},
		{Source{Format: FormatMLflow, Holds: predictions, Stage: "prod"}, "stage:"},
		{Source{Format: FormatMLflow, Holds: predictions, FeatureNames: []string{"a", "a"}}, "feature_names:"},
		{Source{Format: FormatJSON, Holds: predictions, Tabular: Tabular{Classes: true}}, "classes"},
		{Source{Format: FormatJSON, Holds: predictions, FeatureNames: []string{"a"}}, "feature_names:"},
		{Source{Format: FormatMLflow, Holds: predictions, GenAI: GenAI{Evaluation: "x"}}, "evaluation, evaluation_label or"},
		{Source{Format: FormatGenAI, Holds: predictions, GenAI: GenAI{Identifier: "trace"}}, "identifier:"},
		{Source{Format: FormatMLflow, Holds: predictions, Mapping: Mapping{MappingFile: "x"}}, "mapping_file:"},
		{Source{Format: FormatGenAI, Holds: labels}, "evaluation:"},
		{Source{Format: FormatMapping, Holds: labels}, "mapping_file:"},
	} {
		if err := tt.source.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want a mistake of %s", tt.source, err, tt.want)
		}
	}
}

// A decoder that panics within a record leaves nothing of it.
func TestPanicLeavesNoRow(t *testing.T) {
	source, text := shapeOf(t, FormatSageMaker, "csv_batch")
	d, columns := openShape(t, source)
	rec := Record{Known: testKnown, Value: []byte(text)}
	if err := d.Append(rec); err != nil {
		t.Fatal(err)
	}
	before, names := dump(columns), columns.Predictions.Features.Len()
	capture := d.(*sageMaker)
	func() {
		defer func() { _ = recover() }()
		_ = capture.run(rec, func(rec Record) *Error {
			if err := capture.capture(rec); err != nil {
				t.Fatal(err)
			}
			columns.Predictions.Deploy.Append([]byte("half a row"))
			columns.Predictions.intern([]byte("half a feature"))
			panic("a bug")
		})
	}()
	if got := dump(columns); got != before || columns.Predictions.Features.Len() != names || columns.Predictions.Deploy.Dict.Len() != 1 {
		t.Errorf("after a panic\n%s\nbefore\n%s", got, before)
	}
	if err := d.Append(rec); err != nil || columns.Predictions.Len() != 6 {
		t.Errorf("%v, %d rows", err, columns.Predictions.Len())
	}
}

func BenchmarkShapes(b *testing.B) {
	for _, c := range shapeCases() {
		source, text := shapeOf(b, c.source.Format, c.name)
		d, columns := openShape(b, source)
		rec := Record{Known: testKnown, Value: []byte(text)}
		if err := d.Append(rec); err != nil {
			continue
		}
		b.Run(string(c.source.Format)+"/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				columns.Reset()
				if err := d.Append(rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A request that failed counts as one that failed, also where what it was sent
// is the reason: nobody wants an error rate without the errors.
func TestFailedRequestsCountWhateverTheyWereSent(t *testing.T) {
	source, text := shapeOf(t, FormatMLflow, "inputs_columns")
	for name, c := range map[string]struct {
		request string
		want    string // of each row: status and number of features
		unknown int
	}{
		"columns of different lengths": {`{\"inputs\": {\"a\": [1, 2], \"b\": [1]}}`, "400:0", 1},
		"an input that is no feature":  {`{\"dataframe_records\": [{\"a\": 1, \"b\": {\"c\": 2}}, {\"a\": 3, \"b\": 4}]}`, "400:0 400:2", 1},
		"a good one":                   {`{\"dataframe_records\": [{\"a\": 1, \"b\": 2}]}`, "400:2", 0},
	} {
		from := strings.Index(text, `"request":`)
		to := strings.Index(text, `"response":`)
		event := text[:from] + `"request": "` + c.request + `", ` + text[to:]
		into := source.Columns(DefaultLimits())
		d, err := source.Open(into)
		if err != nil {
			t.Fatal(err)
		}
		rec := Record{Known: testKnown, Value: []byte(event)}
		if err := d.Append(rec); err == nil && c.unknown > 0 {
			t.Errorf("%s: taken of a request that went well", name)
		}
		into.Predictions.Reset()
		rec.Value = []byte(strings.Replace(event, `"status_code": 200`, `"status_code": 400`, 1))
		if err := d.Append(rec); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := into.Predictions
		var got []string
		for row := range p.Len() {
			got = append(got, fmt.Sprintf("%s:%d", p.Status.At(row), p.Numbers.Offsets[row+1]-p.Numbers.Offsets[row]))
		}
		if strings.Join(got, " ") != c.want || p.Unknown != c.unknown {
			t.Errorf("%s: rows %s, %d unknown, want %s", name, got, p.Unknown, c.want)
		}
	}
}
