package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Kind is a kind of events.
type Kind string

// The kinds.
const (
	KindPredictions Kind = "predictions"
	KindLabels      Kind = "labels"
	KindDeployments Kind = "deployments"
	// KindKPIs are readings of business figures.
	KindKPIs Kind = "kpis"
)

// Kinds returns every kind.
func Kinds() []Kind { return []Kind{KindPredictions, KindLabels, KindDeployments, KindKPIs} }

// Format is an input shape.
type Format string

// The formats; the table in formats says what each can hold.
const (
	// FormatJSON is our own JSON, see docs/events.schema.json.
	FormatJSON Format = "json"
	// FormatArrow is Arrow IPC streams of many events a record.
	FormatArrow Format = "arrow"
)

// format says what a shape can hold and makes its decoders.
type format struct {
	name Format
	// version names the rules of the decoder. It is part of the plan hash:
	// change it with every change that decodes any event differently.
	version string
	holds   []Kind
	// check returns the mistakes of a source's options; nil if there are none to
	// make.
	check func(Source) error
	open  func(Source, Columns) (Decoder, error)
}

// formats returns every shape.
func formats() []format {
	return []format{
		{FormatJSON, "json/1", Kinds(), nil, openJSON},
		{FormatArrow, "arrow/2", Kinds(), checkArrow, openArrow},
		{FormatSageMaker, "sagemaker/3", []Kind{KindPredictions}, checkSageMaker, openSageMaker},
		{FormatSageMakerTruth, "sagemaker-groundtruth/3", []Kind{KindLabels}, checkSageMaker, openSageMaker},
		{FormatMLflow, "mlflow/4", []Kind{KindPredictions}, checkTabular, openMLflow},
		{FormatAzureML, "azureml/3", []Kind{KindPredictions}, checkTabular, openAzureML},
		{FormatGenAI, "otel-genai/1", []Kind{KindPredictions, KindLabels}, checkGenAI, openGenAI},
		{FormatMapping, "mapping/2", Kinds(), checkMapping, openMapping},
		{FormatAvro, "avro/2", Kinds(), checkAvro, openAvro},
		{FormatProtobuf, "protobuf/2", Kinds(), checkProtobuf, openProtobuf},
		{FormatKServe, "kserve/3", []Kind{KindPredictions}, checkInference, openInference},
		{FormatSeldon, "seldon/3", []Kind{KindPredictions}, checkInference, openInference},
	}
}

// Formats returns the name of every shape, in the order of the documentation.
func Formats() []Format {
	var names []Format
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Source says what one topic holds and in which shape.
type Source struct {
	// Topic is the Kafka topic.
	Topic string `yaml:"topic"`
	// Holds is what its records are: predictions (the default), labels,
	// deployments or kpis. A shape that mixes predictions with labels may name both.
	Holds []Kind `yaml:"holds"`
	// Format is the shape of its records. Default json.
	Format Format `yaml:"format"`
	// Model, Deploy and Stage hold for every event of a platform's shape, and
	// stand for columns that arrow lacks. Events of json, avro and protobuf say
	// these themselves, so there they may not be set.
	Model  plumbline.Model      `yaml:"model"`
	Deploy plumbline.DeployHash `yaml:"deploy_hash"`
	Stage  plumbline.Stage      `yaml:"stage"`
	// Tabular are options of the shapes of serving platforms.
	Tabular `yaml:",inline"`
	// GenAI are the options of otel-genai.
	GenAI `yaml:",inline"`
	// Mapping are the options of mapping.
	Mapping `yaml:",inline"`
	// Schemas are the options of avro and protobuf.
	Schemas `yaml:",inline"`
	// FeatureNames names the columns of a shape that sends them without names.
	FeatureNames []string `yaml:"feature_names"`
	// DeployHeader names the Kafka header that holds the deploy hash (of a
	// CloudEvent's extension with ce_ before it), for kserve and seldon.
	DeployHeader string `yaml:"deploy_header"`
	// Outputs says what a model's outputs mean, for kserve and seldon.
	Outputs Outputs `yaml:"outputs"`
	// Logged says which halves kserve and seldon log: both (the default),
	// requests or responses.
	Logged Logged `yaml:"logged"`
}

// WithDefaults returns the source with its defaults filled in.
func (s Source) WithDefaults() Source {
	if len(s.Holds) == 0 {
		s.Holds = []Kind{KindPredictions}
	}
	if s.Format == "" {
		s.Format = FormatJSON
	}
	return s
}

func (s Source) format() (format, error) {
	all := formats()
	if i := slices.IndexFunc(all, func(f format) bool { return f.name == s.Format }); i >= 0 {
		return all[i], nil
	}
	return format{}, fmt.Errorf("format: %q is none of %v", s.Format, Formats())
}

// Validate returns every mistake of the source, by field.
func (s Source) Validate() error {
	f, err := s.format()
	if err != nil {
		return err
	}
	var errs []error
	for i, kind := range s.Holds {
		if !slices.Contains(f.holds, kind) {
			errs = append(errs, fmt.Errorf("holds: %q is none of %v, which %s can hold", kind, f.holds, s.Format))
		}
		if slices.Contains(s.Holds[:i], kind) {
			errs = append(errs, fmt.Errorf("holds: %q stands twice", kind))
		}
	}
	if s.Format == FormatJSON {
		if len(s.Holds) > 1 {
			errs = append(errs, errors.New("holds: json holds one kind of events a topic"))
		}
		if s.Model != "" || s.Deploy != "" || s.Stage != "" {
			errs = append(errs, errors.New("model, deploy_hash and stage: json events say these themselves; leave them out"))
		}
	}
	errs = append(errs, s.foreign())
	if f.check != nil {
		errs = append(errs, f.check(s))
	}
	return errors.Join(errs...)
}

// Columns returns empty columns for what the source holds.
func (s Source) Columns(limits Limits) Columns {
	var c Columns
	for _, kind := range s.Holds {
		switch kind {
		case KindPredictions:
			c.Predictions = NewPredictions(limits)
		case KindLabels:
			c.Labels = NewLabels(limits)
		case KindDeployments:
			c.Deployments = NewDeployments(limits)
		case KindKPIs:
			c.KPIs = NewKPIs(limits)
		}
	}
	return c
}

// Open returns a decoder of the source's records into columns that Columns has
// made.
func (s Source) Open(into Columns) (Decoder, error) {
	f, err := s.format()
	if err != nil {
		return nil, err
	}
	return f.open(s, into)
}

// Identity returns what decides how a record of the source is decoded: it is
// part of the plan hash, so two sources of one identity decode alike. An option
// that says where something is found, and not what it is, has the tag json:"-".
func (s Source) Identity() string {
	f, err := s.format()
	if err != nil {
		return err.Error()
	}
	s.Topic = ""
	options, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s %s", rules, f.version, options)
}

func openJSON(_ Source, into Columns) (Decoder, error) {
	switch {
	case into.Predictions != nil:
		return newJSONPredictions(into.Predictions), nil
	case into.Labels != nil:
		return newJSONLabels(into.Labels), nil
	case into.Deployments != nil:
		return newJSONDeployments(into.Deployments), nil
	case into.KPIs != nil:
		return &JSONKPIs{KPIs: into.KPIs}, nil
	}
	return nil, errors.New("decode: a source that holds nothing")
}
