package decode

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// headers are a record's headers.
type headers map[string]string

func (h headers) Headers() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for k, v := range h {
			if !yield([]byte(k), []byte(v)) {
				return
			}
		}
	}
}

// halfCase is one record of a serving platform.
type halfCase struct {
	name    string
	source  Source
	headers headers
	value   []byte
}

func kserve(half string) headers {
	return headers{
		"ce_specversion": "1.0", "ce_id": "9f2c61ac", "ce_source": "http://iris-predictor.default/", "ce_time": "2026-09-21T14:13:20.25Z",
		"ce_type": "org.kubeflow.serving.inference." + half, "ce_inferenceservicename": "iris", "ce_namespace": "default",
		"ce_component": "predictor", "ce_endpoint": "default", "content-type": "application/json",
	}
}

// failedResponse are the headers of an error, which KServe logs where it logs all
// responses.
func failedResponse() headers {
	h := kserve("response")
	h["ce_statuscode"] = "422"
	return h
}

// seldon1 are the headers of Seldon Core 1, which gives each event an id of its
// own, and both halves a requestid.
func seldon1(half, id string) headers {
	h := kserve(half)
	h["ce_type"], h["ce_id"], h["ce_requestid"] = "io.seldon.serving.inference."+half, id, "12b0d447"
	return h
}

// pb writes Protobuf by hand.
type pb []byte

func (b pb) text(n protowire.Number, v string) pb {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
}

func (b pb) varint(n protowire.Number, v uint64) pb {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func (b pb) packed(n protowire.Number, values ...uint64) pb {
	var p []byte
	for _, v := range values {
		p = protowire.AppendVarint(p, v)
	}
	return b.text(n, string(p))
}

func (b pb) fp64(n protowire.Number, values ...float64) pb {
	var p []byte
	for _, v := range values {
		p = binary.LittleEndian.AppendUint64(p, math.Float64bits(v))
	}
	return b.text(n, string(p))
}

func halfCases() []halfCase {
	iris := Source{Topic: "kserve", Format: FormatKServe, Deploy: "d1"}
	seldon := func(end string) Source {
		return Source{Topic: "seldon.prod.model.income." + end, Format: FormatSeldon, DeployHeader: "deploy"}
	}
	raw := binary.LittleEndian.AppendUint32(nil, math.Float32bits(2.5))
	raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(-1))
	return []halfCase{
		{"kserve_v2_request", iris, kserve("request"), []byte(`{"id":"x","inputs":[
			{"name":"sepal","shape":[2,2],"datatype":"FP32","data":[6.8,2.8,6,3.4]},
			{"name":"colour","shape":[2],"datatype":"BYTES","data":["red",null]}]}`)},
		{"kserve_v2_response", iris, kserve("response"), []byte(`{"id":"x","model_name":"iris","model_version":"3","outputs":[
			{"name":"predict","shape":[2],"datatype":"INT64","data":[1,2]},
			{"name":"probabilities","shape":[2,3],"datatype":"FP64","data":[[0.1,0.2,0.7],[0.3,0.3,0.4]]}]}`)},
		{"kserve_named_outputs", Source{Topic: "k", Format: FormatKServe, Model: "m", Deploy: "d1", Outputs: Outputs{Score: "p", ScoreColumn: new(int), Predicted: "class"}}, kserve("response"),
			[]byte(`{"outputs":[{"name":"other","shape":[1],"datatype":"FP32","data":[9]},{"name":"p","shape":[1,2],"datatype":"FP32","data":[0.25,0.75]},{"name":"class","shape":[1,1],"datatype":"BYTES","data":["late"]}]}`)},
		{"kserve_v1_request", Source{Topic: "k", Format: FormatKServe, Deploy: "d1", FeatureNames: []string{"age", "income"}}, kserve("request"), []byte(`{"instances":[[31,1200.5],[64,null]]}`)},
		{"kserve_v1_objects", iris, kserve("request"), []byte(`{"instances":[{"age":31,"city":"Oslo"},{"city":"Bergen"}]}`)},
		{"kserve_v1_columns", iris, kserve("request"), []byte(`{"inputs":[{"age":[31,64],"city":["Oslo",null]},{"city":["Bergen"]}]}`)},
		{"kserve_v1_response", iris, kserve("response"), []byte(`{"predictions":["yes","no"]}`)},
		{"kserve_structured", Source{Topic: "k", Format: FormatKServe, Deploy: "d1", Outputs: Outputs{Score: "predictions"}}, nil, []byte(`{"specversion":"1.0","id":"s1","type":"io.seldon.serving.inference.response","time":"2026-09-21T14:13:20Z","inferenceservicename":"income","endpoint":"canary","datacontenttype":"application/json","data":{"predictions":[0.75]}}`)},
		{"kserve_v1_predicted", Source{Topic: "k", Format: FormatKServe, Deploy: "d1", Outputs: Outputs{Predicted: "predictions"}}, kserve("response"), []byte(`{"predictions":[1,2]}`)},
		{"kserve_classes", Source{Topic: "k", Format: FormatKServe, Deploy: "d1", Tabular: Tabular{Classes: true}}, kserve("response"), []byte(`{"outputs":[{"name":"output-0","shape":[2],"datatype":"INT64","data":[1,0]}]}`)},
		{"kserve_failed", iris, failedResponse(), []byte(`{"error":"Failed to process request: unexpected feature count"}`)},
		{"seldon1_request", iris, seldon1("request", "6a572f54"), []byte(`{"instances":[[1]]}`)},
		{"seldon1_response", iris, seldon1("response", "77777777"), []byte(`{"predictions":["late"]}`)},
		{"seldon_json_request", seldon("inputs"), headers{"x-request-id": "r1", "deploy": "d7"}, []byte(`{"inputs":[{"name":"age","shape":[1],"datatype":"INT32","data":[40]}]}`)},
		{"seldon_proto_request", seldon("inputs"), headers{"x-request-id": "r1", "deploy": "d7"},
			pb(nil).text(1, "income_1").text(5, string(pb(nil).text(1, "age").text(2, "INT64").packed(3, 2, 1).text(5, string(pb(nil).packed(3, 40, 1<<64-2))))).
				text(5, string(pb(nil).text(1, "ok").text(2, "BOOL").varint(3, 2).text(5, string(pb(nil).packed(1, 1, 0)))))},
		{"seldon_proto_brace", seldon("inputs"), headers{"x-request-id": "r1", "deploy": "d7"}, // its first bytes are a line feed and a brace
			pb(nil).text(1, strings.Repeat("m", '{')).text(5, string(pb(nil).text(1, "age").text(2, "INT64").packed(3, 1).text(5, string(pb(nil).packed(3, 40)))))},
		{"seldon_json_line", seldon("inputs"), headers{"x-request-id": "r1", "deploy": "d7"}, []byte("\n{\"inputs\":[{\"name\":\"age\",\"shape\":[1],\"datatype\":\"INT32\",\"data\":[40]}]}")},
		{"seldon_proto_raw", seldon("inputs"), headers{"x-request-id": "r1", "deploy": "d7"},
			pb(nil).text(5, string(pb(nil).text(1, "x").text(2, "FP32").packed(3, 2))).text(7, string(raw))},
		{"seldon_proto_response", seldon("outputs"), headers{"x-request-id": "r1", "deploy": "d7"},
			pb(nil).text(1, "income_1").text(5, string(pb(nil).text(1, "p").text(2, "FP64").packed(3, 1, 2).text(5, string(pb(nil).fp64(7, 0.125, 0.875)))))},
	}
}

func openHalf(t testing.TB, s Source) (*inference, *Predictions) {
	t.Helper()
	s = s.WithDefaults()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	columns := s.Columns(DefaultLimits())
	d, err := s.Open(columns)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*inference), columns.Predictions
}

func TestHalvesGolden(t *testing.T) {
	for _, c := range halfCases() {
		t.Run(c.name, func(t *testing.T) {
			d, p := openHalf(t, c.source)
			if err := d.Append(Record{Known: testKnown, Value: c.value, Headers: c.headers}); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for i := range p.Len() {
				fmt.Fprintf(&got, "%s %s\n", p.Half.At(i), asText(t, readRow(p, i)))
			}
			path := filepath.Join("testdata", "inference", c.name+".golden")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%swant\n%s", got.Bytes(), want)
			}
		})
	}
}

// lacking are rows of which only the first has its names.
func lacking(names, rows int) string {
	var b strings.Builder
	b.WriteString(`{"instances":[{`)
	for i := range names {
		fmt.Fprintf(&b, `%s"k%d":0`, []string{"", ","}[min(i, 1)], i)
	}
	return b.String() + `}` + strings.Repeat(`,{}`, rows-1) + `]}`
}

// lackingColumns are the same as columns.
func lackingColumns(names, rows int) string {
	frames := strings.Replace(lacking(names, 2), "instances", "inputs", 1)
	return strings.Replace(frames, "{}", `{"k0":[`+strings.Repeat("1,", rows-1)+`1]}`, 1)
}

// What a record lacks is no memory: 63 KB of rows without their names were 1.7 GB
// of nulls.
func TestLackingValuesAreNotAllocated(t *testing.T) {
	value := []byte(lacking(400, 20_000))
	d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := d.Append(Record{Known: testKnown, Value: value, Headers: kserve("request")})
	runtime.ReadMemStats(&after)
	var refused *Error
	if !errors.As(err, &refused) || refused.Reason != TooLarge || p.Len() != 0 {
		t.Errorf("%v, %d rows", err, p.Len())
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
		t.Errorf("%d bytes were taken for a record of %d", n, len(value))
	}
}

// feature_names name the columns of one tensor. One that they do not fit must not
// become features of other names, which no rule of a privacy policy finds.
func TestFeatureNamesFitOrRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		field string // that is refused; none if the rows are taken
		want  string // features, by name
	}{
		"two columns":   {`{"instances":[[31,"a@b.c"]]}`, "", "map[age:31] map[email:a@b.c]"},
		"three columns": {`{"instances":[[31,"a@b.c",7]]}`, "input", ""},
		"one column":    {`{"instances":[["a@b.c"]]}`, "input", ""},
		"plain rows":    {`{"instances":["a@b.c"]}`, "input", ""},
		"named":         {`{"instances":[{"email":"a@b.c"}]}`, "", "map[] map[email:a@b.c]"},
		"two tensors":   {`{"inputs":[{"name":"email","shape":[1],"data":["a@b.c"]},{"name":"age","shape":[1,1],"data":[31]}]}`, "", "map[age:31] map[email:a@b.c]"},
		"wider tensor":  {`{"inputs":[{"name":"email","shape":[1,2],"data":["a@b.c","d"]},{"name":"age","shape":[1],"data":[31]}]}`, "email", ""},
		"one more":      {`{"inputs":[{"name":"x","shape":[1,2],"data":[31,"a@b.c"]},{"name":"y","shape":[1],"data":[31]}]}`, "x", ""},
	} {
		d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1", FeatureNames: []string{"age", "email"}})
		err := d.Append(Record{Known: testKnown, Value: []byte(c.value), Headers: kserve("request")})
		var refused *Error
		switch {
		case c.field == "" && err == nil && p.Len() == 1:
			if r := readRow(p, 0); fmt.Sprint(r.numbers, r.categories) != c.want {
				t.Errorf("%s: %v %v, want %s", name, r.numbers, r.categories, c.want)
			}
		case !errors.As(err, &refused) || refused.Reason != BadValue || refused.Field != c.field || !strings.Contains(refused.Hint, "feature_names") || p.Len() != 0:
			t.Errorf("%s: %v, %d rows, want it refused at %q", name, err, p.Len(), c.field)
		}
	}
}

// An identifier comes as bytes of a header, which nobody has checked.
func TestIdentifiersOfHeadersAreText(t *testing.T) {
	for header, value := range map[string]string{"ce_id": "\xff", "ce_requestid": "a\x00"} {
		d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
		h := seldon1("request", "x")
		h[header] = value
		err := d.Append(Record{Known: testKnown, Value: []byte(`{"instances":[[1]]}`), Headers: h})
		var refused *Error
		if !errors.As(err, &refused) || refused.Reason != BadText || refused.Field != header || p.Len() != 0 {
			t.Errorf("%s: %v", header, err)
		}
	}
}

func TestHalvesRefused(t *testing.T) {
	iris := Source{Topic: "k", Format: FormatKServe, Deploy: "d1"}
	for name, c := range map[string]struct {
		value         string
		half          string
		reason        Reason
		field, source string
	}{
		"no json":         {`{`, "request", Unparsable, "", ""},
		"no tensors":      {`{"id":"x"}`, "request", MissingField, "", ""},
		"wrong half":      {`{"outputs":[]}`, "request", MissingField, "", ""},
		"shape":           {`{"inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","data":[1,2,3]}]}`, "request", BadValue, "inputs[0]", ""},
		"huge shape":      {`{"inputs":[{"name":"a","shape":[1,999999999,999999999],"datatype":"FP32","data":[1]}]}`, "request", BadValue, "inputs[0]", ""},
		"negative":        {`{"inputs":[{"name":"a","shape":[-1],"datatype":"FP32","data":[]}]}`, "request", BadValue, "inputs[0]", ""},
		"many rows":       {`{"inputs":[{"name":"a","shape":[70000],"datatype":"FP32","data":[]}]}`, "request", TooLarge, "inputs[0]", ""},
		"uneven":          {`{"inputs":[{"name":"a","shape":[1],"data":[1]},{"name":"b","shape":[2],"data":[1,2]}]}`, "request", BadValue, "b", ""},
		"twice":           {`{"inputs":[{"name":"a","shape":[1],"data":[1]},{"name":"a","shape":[1],"data":[1]}]}`, "request", DuplicateKey, "a", ""},
		"no data":         {`{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}`, "request", MissingField, "inputs[0].data", ""},
		"objects differ":  {`{"instances":[{"a":1},{"a":1,"b":2}]}`, "request", WrongType, "instances[1].b", ""},
		"ragged":          {`{"instances":[[1,2],[1]]}`, "request", BadValue, "instances[1]", ""},
		"a name instead":  {`{"instances":[{"age":31,"city":"Oslo"},{"age":40,"income":5}]}`, "request", WrongType, "instances[1].income", ""},
		"another order":   {`{"instances":[{"age":31,"city":"Oslo"},{"city":"Bergen","income":5,"age":40}]}`, "request", WrongType, "instances[1].income", ""},
		"no object":       {`{"instances":[{"a":1},[1]]}`, "request", WrongType, "instances[1]", ""},
		"rows of nothing": {`{"inputs":[{"name":"a","shape":[65536,0],"datatype":"FP32","data":[]}]}`, "request", BadValue, "a", ""},
		"empty rows":      {`{"instances":[[],[]]}`, "request", BadValue, "input", ""},
		"empty answers":   {`{"predictions":[[],[]]}`, "response", BadValue, "predictions", ""},
		"lacking values":  {lacking(400, 20_000), "request", TooLarge, "instances", ""},
		"lacking answers": {strings.Replace(lacking(400, 20_000), "instances", "predictions", 1), "response", TooLarge, "predictions", ""},
		"many names":      {lacking(5000, 1), "request", TooManyFeatures, "instances", ""},
		"untyped":         {`{"predictions":[1,2]}`, "response", MissingField, "predictions", ""},
		"untyped later":   {`{"predictions":[null,0.5]}`, "response", MissingField, "predictions", ""},
		"untyped v2":      {`{"outputs":[{"name":"p","shape":[1],"data":[0.5]}]}`, "response", MissingField, "p", ""},
		"untyped named":   {`{"predictions":[{"class":"late","p":0.5}]}`, "response", MissingField, "p", ""},
		"uneven columns":  {`{"inputs":[{"a":[1,2],"b":[1]}]}`, "request", BadValue, "inputs[0].b", ""},
		"added column":    {`{"inputs":[{"a":[1]},{"b":[1]}]}`, "request", WrongType, "inputs[1].b", ""},
		"nested column":   {`{"inputs":[{"a":[[1]]}]}`, "request", TooNested, "inputs[0].a[0]", ""},
		"columns of none": {`{"inputs":[{"a":1},5]}`, "request", WrongType, "inputs[1]", ""},
		"lacking columns": {lackingColumns(400, 20_000), "request", TooLarge, "inputs", ""},
		"nested":          {`{"instances":[{"a":{"b":1}}]}`, "request", TooNested, "instances[0].a", ""},
	} {
		d, p := openHalf(t, iris)
		before := kserve("request")
		if err := d.Append(Record{Known: testKnown, Value: []byte(`{"instances":[[1],[2]]}`), Headers: before}); err != nil {
			t.Fatal(err)
		}
		want := asText(t, readRow(p, 1))
		var refused *Error
		err := d.Append(Record{Known: testKnown, Value: []byte(c.value), Headers: kserve(c.half)})
		if !errors.As(err, &refused) || refused.Reason != c.reason || refused.Field != c.field {
			t.Errorf("%s: %v, want %s at %q", name, err, c.reason, c.field)
		}
		if p.Len() != 2 || asText(t, readRow(p, 1)) != want {
			t.Errorf("%s: the rows before were changed", name)
		}
	}
}

// A later row that is refused takes the earlier rows of its record with it.
func TestRefusedHalfLeavesNoRow(t *testing.T) {
	d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
	long := strings.Repeat("x", maxName+1)
	for range 9 {
		err := d.Append(Record{Known: testKnown, Headers: kserve("response"), Value: []byte(`{"predictions":["a","b","` + long + `"]}`)})
		var refused *Error
		if !errors.As(err, &refused) || p.Len() != 0 {
			t.Fatalf("%v, %d rows", err, p.Len())
		}
		if err := d.Append(Record{Known: testKnown, Headers: kserve("response"), Value: []byte(`{"outputs":[{"name":"p","shape":[1],"datatype":"FP64","data":[0.5]}]}`)}); err != nil {
			t.Fatal(err)
		}
		if got := asText(t, readRow(p, 0)); !strings.Contains(got, `,0.5,null,null,1,`) {
			t.Fatalf("row %s", got)
		}
		p.Reset()
	}
}

func TestOtherEventsAreSkipped(t *testing.T) {
	d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
	for _, kind := range []string{"explainer.result", "outlier"} {
		if err := d.Append(Record{Known: testKnown, Value: []byte(`{}`), Headers: kserve(kind)}); err != nil {
			// The suffix decides, so these types must not end in a half.
			t.Fatal(err)
		}
	}
	h := kserve("request")
	h["ce_type"] = "io.seldon.serving.feedback"
	if err := d.Append(Record{Known: testKnown, Value: []byte(`{}`), Headers: h}); err != nil {
		t.Fatal(err)
	}
	if p.Len() != 0 || p.Skipped != 3 {
		t.Errorf("%d rows, %d skipped, want 0 and 3", p.Len(), p.Skipped)
	}
}

func TestOneLoggedHalfIsWhole(t *testing.T) {
	d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1", Logged: LoggedResponses, Outputs: Outputs{Score: "predictions"}})
	if err := d.Append(Record{Known: testKnown, Value: []byte(`{"predictions":[0.5]}`), Headers: kserve("response")}); err != nil {
		t.Fatal(err)
	}
	if got := string(p.Half.At(0)); got != "" {
		t.Errorf("half %q, want none", got)
	}
}

func TestInferenceSourcesSayWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		source Source
		want   string
	}{
		"deploy": {Source{Topic: "k", Format: FormatKServe}, "deploy_hash"},
		"logged": {Source{Topic: "k", Format: FormatKServe, Deploy: "d", Logged: "some"}, `logged: "some"`},
		"topic":  {Source{Topic: "income", Format: FormatSeldon, Deploy: "d"}, ".inputs"},
		"holds":  {Source{Topic: "k", Format: FormatKServe, Deploy: "d", Holds: []Kind{KindLabels}}, "holds"},
	} {
		if err := c.source.WithDefaults().Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// FuzzInference holds that whatever a record is, it is refused with the columns
// as they were, or its rows are whole.
func FuzzInference(f *testing.F) {
	for i, c := range halfCases() {
		f.Add(i, c.value)
	}
	f.Add(0, []byte(lacking(30, 1000)))
	f.Add(0, []byte(lackingColumns(30, 1000)))
	f.Add(0, []byte(`{"inputs":[{"name":"a","shape":[65536,0],"data":[]}]}`))
	cases := halfCases()
	f.Fuzz(func(t *testing.T, which int, value []byte) {
		c := cases[uint(which)%uint(len(cases))]
		d, p := openHalf(t, c.source)
		if err := d.Append(Record{Known: testKnown, Value: c.value, Headers: c.headers}); err != nil {
			t.Fatal(err)
		}
		rows, first := p.Len(), asText(t, readRow(p, 0))
		err := d.Append(Record{Known: testKnown, Value: value, Headers: c.headers})
		var refused *Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("an error of another kind: %v", err)
		}
		if err != nil && p.Len() != rows || asText(t, readRow(p, 0)) != first {
			t.Fatalf("%v: %d rows, before %d", err, p.Len(), rows)
		}
		if err == nil && p.Len() == rows && p.Skipped == 0 {
			t.Fatal("the record is neither rows, nor refused, nor skipped")
		}
		cells := max(len(d.message.cells), 1) // an error is a row without any
		if most := max(len(value), d.tree.max); err == nil && (cells > most || p.Len()-rows > cells) {
			t.Fatalf("%d rows of %d values, of a record of %d bytes", p.Len()-rows, cells, len(value))
		}
		for i := range p.Len() {
			r := readRow(p, i)
			for k, v := range r.numbers {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					r.numbers[k] = 0 // JSON has no text for it
				}
			}
			if _, err := json.Marshal(r.categories); err != nil {
				t.Fatal(err)
			}
		}
	})
}
