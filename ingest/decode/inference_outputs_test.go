package decode

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// A source that names its outputs gets both or a refusal, as where a pointer leads
// nowhere.
func TestNamedOutputsMustBeThere(t *testing.T) {
	both := Source{Topic: "k", Format: FormatKServe, Deploy: "d1", Outputs: Outputs{Score: "p", Predicted: "class"}}
	for value, field := range map[string]string{
		`{"outputs":[{"name":"class","shape":[1],"datatype":"BYTES","data":["late"]}]}`:                                                         "p",
		`{"outputs":[{"name":"p","shape":[1],"datatype":"FP64","data":[0.5]}]}`:                                                                 "class",
		`{"outputs":[{"name":"q","shape":[1],"datatype":"FP64","data":[0.5]}]}`:                                                                 "p",
		`{"outputs":[{"name":"p","shape":[1],"datatype":"FP64","data":[0.5]},{"name":"class","shape":[1],"datatype":"BYTES","data":["late"]}]}`: "",
	} {
		d, p := openHalf(t, both)
		err := d.Append(Record{Known: testKnown, Value: []byte(value), Headers: kserve("response")})
		var refused *Error
		if field == "" && (err != nil || p.Len() != 1) || field != "" && (!errors.As(err, &refused) || refused.Reason != MissingField || refused.Field != field || p.Len() != 0) {
			t.Errorf("%s: %v, %d rows, want it refused at %q", value, err, p.Len(), field)
		}
	}
}

// Which of several outputs counts, only the source can say: a PMML server's first
// probability is that of the first class, whatever was predicted.
func TestOutputsAreNotGuessed(t *testing.T) {
	const label, node = `{"name":"Species","shape":[1],"datatype":"BYTES","data":["versicolor"]}`, `{"name":"Node_Id","shape":[1],"datatype":"BYTES","data":["6"]}`
	const no, yes = `{"name":"P_setosa","shape":[1],"datatype":"FP64","data":[0]}`, `{"name":"P_versicolor","shape":[1],"datatype":"FP64","data":[0.907]}`
	const ids = `{"name":"ids","shape":[1,3],"datatype":"INT64","data":[101,2023,7]}`
	set := Outputs{Score: "P_versicolor", Predicted: "Species"}
	for name, c := range map[string]struct {
		outputs string
		set     Outputs
		want    string // score and class, or what the error says
	}{
		"PMML":              {label + "," + no + "," + yes + "," + node, Outputs{}, `the score ("P_setosa", "P_versicolor"), or what was predicted ("Species", "Node_Id"); name those that count in outputs of the source`},
		"PMML, named":       {node + "," + label + "," + no + "," + yes, set, "0.907 versicolor"},
		"scores":            {label + "," + yes + "," + no, Outputs{}, `each could be the score: "P_versicolor", "P_setosa";`},
		"classes":           {node + "," + yes + "," + label, Outputs{}, `each could be what was predicted: "Node_Id", "Species";`},
		"one of each":       {label + "," + yes, Outputs{}, "0.907 versicolor"},
		"several integers":  {ids, Outputs{}, `field "ids": nothing says what several whole numbers are`},
		"beside a class":    {label + "," + ids, Outputs{}, `field "ids": nothing says what several whole numbers are`},
		"integers, named":   {label + "," + ids, Outputs{Score: "ids", ScoreColumn: new(int)}, "101 "},
		"integers, by type": {ids, Outputs{ScoreColumn: new(int)}, "101 "},
		"one of that name":  {yes + "," + yes, Outputs{Score: "P_versicolor"}, `field "P_versicolor": the response has several outputs of this name`},
		"a null of no type": {`{"name":"a","shape":[1],"data":[null]},{"name":"b","shape":[1],"data":["late"]}`, Outputs{}, `predicted: "a", "b";`},
		"no columns":        {`{"name":"a","shape":[1,0],"data":[]},` + label, Outputs{}, " versicolor"},
	} {
		d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1", Outputs: c.set})
		err := d.Append(Record{Known: testKnown, Value: []byte(`{"outputs":[` + c.outputs + `]}`), Headers: kserve("response")})
		got := fmt.Sprint(err)
		if err == nil {
			got = ""
			if score, ok := p.Score.At(0); ok {
				got = fmt.Sprint(score)
			}
			got += " " + string(p.Predicted.At(0))
		} else if p.Len() != 0 {
			t.Errorf("%s: refused, and %d rows", name, p.Len())
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Where a source names outputs, the others may hold anything.
func TestOutputsThatAreNotNamedAreNotRead(t *testing.T) {
	flowers := Outputs{Predicted: "prediction"}
	wide := pb(nil).text(1, "attention").text(2, "FP64").packed(3, 2, 1).text(5, string(pb(nil).fp64(7, 1, 2)))
	proto := pb(nil).text(5, string(wide)).text(5, string(pb(nil).text(1, "prediction").text(2, "INT64").packed(3, 1).text(5, string(pb(nil).packed(3, 4)))))
	for name, c := range map[string]struct {
		outputs Outputs
		value   string
		want    string // number that was predicted, or what the error says
	}{
		"scores of V1":    {flowers, `{"predictions":[{"scores":[0.99,0.01],"prediction":3,"key":{"a":1}}]}`, "3"},
		"shared memory":   {flowers, `{"outputs":[{"name":"x","shape":[9],"datatype":"FP32","parameters":{"shared_memory_region":"r"}},{"name":"prediction","shape":[1],"datatype":"INT8","data":[3]}]}`, "3"},
		"more rows":       {flowers, `{"outputs":[{"name":"x","shape":[2,1],"datatype":"FP32","data":[1,2]},{"name":"prediction","shape":[1],"datatype":"INT8","data":[3]}]}`, "3"},
		"Protobuf":        {flowers, string(proto), "4"},
		"none is there":   {flowers, `{"predictions":[{"scores":[0.99,0.01]}]}`, `missing_field: field "prediction": the response has no output of this name`},
		"a list of V1":    {flowers, `{"predictions":[[1,[2]]]}`, `missing_field: field "prediction": the response has no output of this name`},
		"a named one":     {Outputs{Predicted: "scores"}, `{"predictions":[{"scores":[0.99,0.01],"prediction":3}]}`, `too_nested: field "predictions[0].scores"`},
		"no names at all": {Outputs{}, `{"predictions":[{"scores":[0.99,0.01],"prediction":"rose"}]}`, `too_nested: field "predictions[0].scores"`},
	} {
		s := Source{Topic: "k", Format: FormatKServe, Deploy: "d1", Outputs: c.outputs}
		if name == "Protobuf" {
			s.Topic, s.Format = "seldon.prod.model.income.outputs", FormatSeldon
		}
		d, p := openHalf(t, s)
		err := d.Append(Record{Known: testKnown, Key: []byte("r"), Value: []byte(c.value), Headers: kserve("response")})
		got := fmt.Sprint(err)
		if err == nil {
			v, _ := p.PredictedValue.At(0)
			got = fmt.Sprint(v)
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// KServe can log responses that are errors. Such an error is an answer, and no
// record that cannot be read.
func TestFailedResponses(t *testing.T) {
	const structured = `{"specversion":"1.0","id":"s1","type":"x.inference.response","time":"2026-09-21T14:13:20Z","inferenceservicename":"income","statuscode":503,"data":"unavailable"}`
	for name, c := range map[string]struct {
		status, half, value string
		want                string
	}{
		"an error":        {"422", "response", `{"error":"unexpected feature count"}`, `9f2c61ac response status "422" predicted ""`},
		"a prediction":    {"500", "response", `{"predictions":["a"]}`, `9f2c61ac response status "500" predicted ""`},
		"no JSON":         {"502", "response", "<html>", `9f2c61ac response status "502" predicted ""`},
		"no body":         {"504", "response", "", `9f2c61ac response status "504" predicted ""`},
		"success":         {"200", "response", `{"predictions":["a"]}`, `9f2c61ac response status "ok" predicted "a"`},
		"created":         {"201", "response", `{"predictions":["a"]}`, `9f2c61ac response status "ok" predicted "a"`},
		"without a body":  {"200", "response", "", `unparsable: there is no JSON value`},
		"no status":       {"", "response", `{"error":"x"}`, `missing_field: the message has no tensors`},
		"no number":       {"5xx", "response", `{"predictions":["a"]}`, `bad_value: field "statuscode": send the HTTP status`},
		"of a request":    {"500", "request", `{"instances":[[1]]}`, `9f2c61ac request status "ok" predicted ""`},
		"structured mode": {"", "", structured, `s1 response status "503" predicted ""`},
	} {
		d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
		var h headers
		if c.half != "" {
			h = kserve(c.half)
			h["ce_statuscode"] = c.status
		}
		got := ""
		if err := d.Append(Record{Known: testKnown, Value: []byte(c.value), Headers: h}); err != nil {
			got = err.Error()
		}
		for i := range p.Len() {
			got += fmt.Sprintf("%s %s status %q predicted %q", p.ID.At(i), p.Half.At(i), p.Status.At(i), p.Predicted.At(i))
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Where integers are classes, they are spelled as everywhere else.
func TestNumbersThatAreClasses(t *testing.T) {
	int64s := `{"outputs":[{"name":"output-0","shape":[3],"datatype":"INT64","data":[1,0,-2]}]}`
	proto := pb(nil).text(5, string(pb(nil).text(1, "p").text(2, "INT64").packed(3, 2).text(5, string(pb(nil).packed(3, 1, 0)))))
	seldon := Source{Topic: "seldon.prod.model.income.outputs", Format: FormatSeldon, Deploy: "d"}
	plain := Source{Topic: "k", Format: FormatKServe, Deploy: "d"}
	named := plain
	named.Outputs.Predicted = "predictions"
	for name, c := range map[string]struct {
		source Source
		value  string
		want   string
	}{
		"integers of v2":  {plain, int64s, `"1" "0" "-2"`},
		"Protobuf":        {seldon, string(proto), `"1" "0"`},
		"floats, named":   {named, `{"outputs":[{"name":"predictions","shape":[3],"datatype":"FP32","data":[1,0.5,-0.0]}]}`, `"1" "0.5" "0"`},
		"V1":              {named, `{"predictions":[1,0,1.0]}`, `"1" "0" "1"`},
		"texts":           {plain, `{"predictions":["late","1.0"]}`, `"late" "1.0"`},
		"NaN is no class": {named, `{"predictions":[NaN,1]}`, `"" "1"`},
		"beyond a float":  {named, `{"predictions":[1e300]}`, `refused`},
		"V1, unnamed":     {plain, `{"predictions":[1]}`, `refused`}, // nothing says that it was predicted
	} {
		c.source.Classes = true
		d, p := openHalf(t, c.source)
		err := d.Append(Record{Known: testKnown, Headers: kserve("response"), Key: []byte("r"), Value: []byte(c.value)})
		var got []string
		for i := range p.Len() {
			got = append(got, fmt.Sprintf("%q", p.Predicted.At(i)))
			if v, number := p.PredictedValue.At(i); number && !math.IsNaN(v) {
				t.Errorf("%s: row %d is the number %v", name, i, v)
			}
		}
		if err != nil {
			got = []string{"refused"}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s (%v), want %s", name, s, err, c.want)
		}
	}
}

// A whole number that stands for a class is not rounded to its neighbour.
func TestLargeWholeAnswersAreRefused(t *testing.T) {
	for answer, good := range map[string]bool{
		`"datatype":"INT64","data":[1234567890123456789]`: false, `"datatype":"INT64","data":[9007199254740991]`: true, `"datatype":"UINT64","data":[9007199254740992]`: false,
		`"datatype":"FP64","data":[1e20]`: true,
	} {
		d, _ := openHalf(t, Source{Format: FormatKServe, Deploy: "d", Outputs: Outputs{Predicted: "item"}})
		err := d.Append(Record{Known: testKnown, Headers: kserve("response"), Value: []byte(`{"outputs":[{"name":"item","shape":[1],` + answer + `}]}`)})
		if reason, field := reasonOf(err); good != (err == nil) || !good && (reason != BadValue || field != "item") {
			t.Errorf("%s: %v, want it taken: %t", answer, err, good)
		}
	}
}
