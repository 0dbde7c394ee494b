package decode

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// FormatMapping is any JSON, read by a file that says where our fields stand in
// it.
const FormatMapping Format = "mapping"

// Mapping are the options of mapping.
type Mapping struct {
	// MappingFile is the file, YAML; docs/formats.md says what it holds.
	MappingFile string `yaml:"mapping_file" json:"-"`
	// MappingText is what it holds, see ReadFiles. It decides how events are read.
	MappingText string `yaml:"-"`
}

// ReadFiles reads the files that the source names, for Validate, Open and
// Identity, which touch no disk.
func (s *Source) ReadFiles() error {
	if err := s.readSchema(); err != nil {
		return err
	}
	if s.MappingFile == "" {
		return nil
	}
	text, err := os.ReadFile(s.MappingFile)
	if err != nil {
		return fmt.Errorf("mapping_file: %w", err)
	}
	s.MappingText = string(text)
	return nil
}

func checkMapping(s Source) error {
	errs := []error{s.checkNames()}
	if s.MappingFile == "" {
		return errors.Join(append(errs, errors.New("mapping_file: name the file that says where the fields stand"))...)
	}
	m, err := parseMapping(s.MappingFile, []byte(s.MappingText))
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, m.check(s))...)
}

// mappings are a parsed mapping file.
type mappings struct {
	file     string
	sections map[Kind]*section
}

// check returns what the source's other options contradict or what is missing.
func (m *mappings) check(s Source) error {
	var errs []error
	for _, kind := range s.Holds {
		sec := m.sections[kind]
		if sec == nil {
			errs = append(errs, fmt.Errorf("%s: %s: the section is missing, and the source holds them", m.file, kind))
			continue
		}
		for _, name := range sec.required() {
			given := name == "model" && s.Model != "" || name == "deploy_hash" && s.Deploy != ""
			switch set := sec.fields()[name].set(); {
			case !set && !given:
				errs = append(errs, fmt.Errorf("%s:%d: %s.%s: say where it stands, such as %s: /%s, or give it as %s: {value: ...}", m.file, sec.line, kind, name, name, name, name))
			case set && given:
				errs = append(errs, fmt.Errorf("%s: %s.%s: the source of the topic sets it too; leave one out", m.file, kind, name))
			}
		}
	}
	for kind, sec := range m.sections {
		if !slices.Contains(s.Holds, kind) {
			errs = append(errs, fmt.Errorf("%s:%d: %s: holds of the source does not name them; add it there or leave the section out", m.file, sec.line, kind))
		}
	}
	return errors.Join(errs...)
}

// mapped says where one field stands: behind a pointer, or nowhere, as a
// constant.
type mapped struct {
	at       pointer
	pointed  bool
	absolute bool // from the record, not from the row
	constant []byte
	record   bool // the record's own time
	unit     string
	classes  bool
	text     string // as it is written, for errors
}

func (m *mapped) set() bool { return m != nil && (m.pointed || m.record || m.constant != nil) }

// namedField is a feature or segment with a pointer of its own, or an array
// whose elements have names.
type namedField struct {
	mapped
	name  []byte
	names [][]byte
}

// section says how one kind of events is read.
type section struct {
	kind Kind
	line int
	rows mapped
	// when and is select the rows that are events of the kind.
	when mapped
	is   []string

	id, model, deploy, stage, ts mapped
	score, predicted, latency    mapped
	status, weight, label        mapped
	propensity                   mapped
	disagreement, votes, grades  mapped
	explained, explanation       mapped
	name, value, of              mapped // of a KPI
	texts                        [6]mapped
	all                          mapped
	without                      []string
	nested                       string
	features, arrays             []namedField
	segments                     []namedField
}

// fields returns the plain fields of the kind, by name.
func (s *section) fields() map[string]*mapped {
	f := map[string]*mapped{"model": &s.model, "ts": &s.ts}
	switch s.kind {
	case KindPredictions:
		f["prediction_id"], f["deploy_hash"], f["stage"] = &s.id, &s.deploy, &s.stage
		f["score"], f["predicted"], f["latency_ms"] = &s.score, &s.predicted, &s.latency
		f["status"], f["weight"], f["propensity"] = &s.status, &s.weight, &s.propensity
		f["disagreement"], f["votes"], f["scores"] = &s.disagreement, &s.votes, &s.grades
		f["explained"], f["explanation"] = &s.explained, &s.explanation
	case KindLabels:
		f["prediction_id"], f["label"] = &s.id, &s.label
	case KindKPIs:
		f["name"], f["value"], f["segment"] = &s.name, &s.value, &s.of
	case KindDeployments:
		f["deploy_hash"], f["stage"] = &s.deploy, &s.stage
		for i, name := range deploymentTextNames() {
			f[name] = &s.texts[i]
		}
	}
	return f
}

func deploymentTextNames() [6]string {
	return [6]string{"version", "by", "commit", "dataset_hash", "feature_job", "note"}
}

// required returns the fields without which no event of the kind is complete.
func (s *section) required() []string {
	switch s.kind {
	case KindLabels:
		return []string{"prediction_id", "model", "ts", "label"}
	case KindDeployments:
		return []string{"model", "deploy_hash", "ts"}
	case KindKPIs:
		return []string{"model", "name", "ts", "value"}
	}
	return []string{"prediction_id", "model", "deploy_hash", "ts"}
}

// openMapping makes the decoder of a source that Validate has passed.
func openMapping(s Source, into Columns) (Decoder, error) {
	m, err := parseMapping(s.MappingFile, []byte(s.MappingText))
	if err != nil {
		return nil, err
	}
	d := &mapping{several: newSeveral(into), sayings: s.sayings()}
	d.t = newTree(d.limits)
	for _, kind := range s.Holds {
		d.sections = append(d.sections, m.sections[kind])
	}
	return d, nil
}
