package mutate

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// known is the Kafka timestamp of every record, near the samples' event times.
const known = 1_790_000_000_000

// sample is a valid record and the source it belongs to.
type sample struct {
	name    string
	source  decode.Source
	key     []byte
	value   []byte
	headers decode.Headers
}

// neighbours returns the values of the samples of the same shape.
func neighbours(samples []sample, i int) (values [][]byte) {
	for _, s := range samples {
		if s.source.Format == samples[i].source.Format && len(s.value) > 0 {
			values = append(values, s.value)
		}
	}
	return values
}

// headers of a record.
type headers map[string]string

// Headers gives them in the order of their names.
func (h headers) Headers() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		names := make([]string, 0, len(h))
		for name := range h {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if !yield([]byte(name), []byte(h[name])) {
				return
			}
		}
	}
}

const (
	predictions = decode.KindPredictions
	labels      = decode.KindLabels
	deployments = decode.KindDeployments
)

// load returns every sample. A new shape is one more line in inline, or a file
// of its golden examples in fromFiles.
func load(testdata string) ([]sample, error) {
	all := inline()
	files, err := fromFiles(testdata)
	if err != nil {
		return nil, err
	}
	avro, err := fromAvro(filepath.Join(testdata, "avro", "fastavro.jsonl"))
	if err != nil {
		return nil, err
	}
	all = append(append(all, files...), avro...)
	for i := range all {
		s := &all[i]
		if s.source.Topic == "" {
			s.source.Topic = "events"
		}
		s.source = s.source.WithDefaults()
		if err := s.source.Validate(); err != nil {
			return nil, fmt.Errorf("sample %s %s: %w", s.source.Format, s.name, err)
		}
	}
	return all, nil
}

// inline are the shapes whose golden examples are not files of their own.
func inline() []sample {
	of := func(f decode.Format, kinds ...decode.Kind) decode.Source {
		return decode.Source{Format: f, Holds: kinds}
	}
	iris := decode.Source{Topic: "kserve", Format: decode.FormatKServe, Deploy: "d1"}
	seldon := decode.Source{Topic: "seldon.prod.model.income.inputs", Format: decode.FormatSeldon, DeployHeader: "deploy"}
	cloud := headers{
		"ce_specversion": "1.0", "ce_id": "x", "ce_time": "2026-09-21T14:13:20Z", "ce_type": "org.kubeflow.serving.inference.request",
		"ce_inferenceservicename": "iris", "ce_namespace": "prod", "ce_endpoint": "default", "ce_source": "http://localhost:9081/", "content-type": "application/json",
	}
	return []sample{
		{"prediction", of(decode.FormatJSON, predictions), nil, []byte(`{"prediction_id":"p-1","model":"fraud","deploy_hash":"abc123","ts":1790000000000,"stage":"canary","features":{"amount":54.61,"channel":"web","new":true,"age":null},"segments":{"country":"NO"},"score":0.123456,"predicted":"yes","latency_ms":12.5,"status":"ok","weight":2}`), nil},
		{"regression", of(decode.FormatJSON, predictions), nil, []byte(`{"prediction_id":"p-2","model":"price","deploy_hash":"d","ts":1790000000123,"features":{"a":1e3,"b":-0.25},"predicted":12.75}`), nil},
		{"label", of(decode.FormatJSON, labels), nil, []byte(`{"prediction_id":"p-1","model":"fraud","ts":1790000000000,"label":"late"}`), nil},
		{"deployment", of(decode.FormatJSON, deployments), nil, []byte(`{"model":"fraud","deploy_hash":"abc","ts":1790000000000,"stage":"production","version":"1.2","by":"ann","commit":"deadbeef","dataset_hash":"d0","feature_job":"nightly","note":"x"}`), nil},
		{"kpi", of(decode.FormatJSON, decode.KindKPIs), nil, []byte(`{"model":"fraud","name":"revenue","ts":1790000000000,"value":1250.5,"segment":"region=eu"}`), nil},
		{"ensemble", of(decode.FormatJSON, predictions), nil, []byte(`{"prediction_id":"p-3","model":"fraud","deploy_hash":"d","ts":1790000000000,"votes":["a","b",null,1],"scores":[0.1,0.25],"explanation":{"a":[1]}}`), nil},
		{"request", iris, nil, []byte(`{"id":"x","inputs":[{"name":"sepal","shape":[2,2],"datatype":"FP32","data":[6.8,2.8,6,3.4]},{"name":"colour","shape":[2],"datatype":"BYTES","data":["red",null]}]}`), cloud},
		{"structured", iris, nil, []byte(`{"specversion":"1.0","id":"s1","type":"io.seldon.serving.inference.response","time":"2026-09-21T14:13:20Z","inferenceservicename":"income","endpoint":"canary","datacontenttype":"application/json","data":{"predictions":["late"]}}`), nil},
		{"json", seldon, nil, []byte(`{"inputs":[{"name":"age","shape":[1],"datatype":"INT32","data":[40]}]}`), headers{"x-request-id": "r1", "deploy": "d7"}},
		{"protobuf prediction", of(decode.FormatProtobuf, predictions), nil, protobufPrediction(), nil},
		{"protobuf label", of(decode.FormatProtobuf, labels), nil, protobufLabel(), nil},
	}
}

func protoText(b []byte, n protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), text)
}

func protoFloat(b []byte, n protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), math.Float64bits(v))
}

// protobufPrediction is a plumbline.v1.Prediction of docs/events.proto.
func protobufPrediction() []byte {
	b := protoText(nil, 1, "p-1")
	b = protoText(b, 2, "fraud")
	b = protoText(b, 3, "abc123")
	b = protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), known)
	b = protoText(b, 6, string(protoFloat(protoText(nil, 1, "amount"), 2, 54.61)))
	b = protoText(b, 7, string(protoText(protoText(nil, 1, "channel"), 2, "web")))
	b = protoText(b, 9, "age")
	b = protoFloat(b, 11, 0.25)
	return protoText(b, 12, "yes")
}

func protobufLabel() []byte {
	b := protoText(nil, 1, "p-1")
	b = protoText(b, 2, "fraud")
	b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), known)
	return protoText(b, 4, "yes")
}

// fromFiles are the shapes whose golden examples are files: FORMAT/*.json and
// *.arrows, of a mapping with its .yml beside them.
func fromFiles(testdata string) (all []sample, err error) {
	sources := []decode.Source{
		{Format: decode.FormatSageMaker, Model: "churn", Deploy: "variant-a"},
		{Format: decode.FormatSageMakerTruth, Model: "churn", Holds: []decode.Kind{labels}},
		{Format: decode.FormatMLflow, Model: "churn"},
		{Format: decode.FormatAzureML},
		{Format: decode.FormatGenAI, Holds: []decode.Kind{predictions, labels}, GenAI: decode.GenAI{Evaluation: "Relevance"}},
		{Format: decode.FormatMapping, Holds: []decode.Kind{predictions, labels, deployments}},
		{Format: decode.FormatArrow},
	}
	for _, source := range sources {
		var files []string
		for _, pattern := range []string{"*.json", "*.arrows"} {
			found, err := filepath.Glob(filepath.Join(testdata, string(source.Format), pattern))
			if err != nil {
				return nil, err
			}
			files = append(files, found...)
		}
		for _, file := range files {
			value, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("sample: %w", err)
			}
			s := sample{name: filepath.Base(file), source: source, value: bytes.TrimSpace(value)}
			if source.Format == decode.FormatArrow {
				s.value = value
			}
			if source.Format == decode.FormatMapping {
				s.source.MappingFile = strings.TrimSuffix(file, ".json") + ".yml"
				if s.source, err = holding(s.source); err != nil {
					return nil, fmt.Errorf("sample %s: %w", s.name, err)
				}
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// holding returns the source with the kinds that its mapping can make: the most
// that validate.
func holding(s decode.Source) (decode.Source, error) {
	if err := s.ReadFiles(); err != nil {
		return s, err
	}
	s.Topic = "events"
	var err error
	for _, kinds := range [][]decode.Kind{{predictions, labels, deployments}, {predictions, labels}, {predictions}, {decode.KindKPIs}} {
		s.Holds = kinds
		if err = s.Validate(); err == nil {
			return s, nil
		}
	}
	return s, err
}

// fromAvro reads events with their schemas, as fastavro wrote them.
func fromAvro(file string) (all []sample, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	for line := range bytes.Lines(text) {
		var event struct {
			Holds  decode.Kind     `json:"holds"`
			Schema json.RawMessage `json:"schema"`
			Hex    string          `json:"hex"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("sample: %s: %w", file, err)
		}
		value, err := hex.DecodeString(event.Hex)
		if err != nil {
			return nil, fmt.Errorf("sample: %s: %w", file, err)
		}
		source := decode.Source{Format: decode.FormatAvro, Holds: []decode.Kind{event.Holds}}
		source.SchemaFile, source.SchemaText = "sample.avsc", event.Schema
		all = append(all, sample{name: fmt.Sprintf("fastavro %d", len(all)+1), source: source, value: value})
	}
	return all, nil
}
