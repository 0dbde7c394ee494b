package sample

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// whySkipped says, as far as the record's text shows it, why it or a part of it is no
// event of the topic.
func (s *sourced) whySkipped(value []byte) string {
	raw := parse(value)
	switch s.source.Format {
	case decode.FormatAzureML:
		if text(raw["datainblob"]) == "true" || string(raw["datainblob"]) == "true" {
			return "its rows lie in a blob (datainblob), which is not read"
		}
		return fmt.Sprintf("the type %q is none that is read: azureml.inference.inputs, outputs, model_inputs, model_outputs, model_inputs_outputs, request, response", text(raw["type"]))
	case decode.FormatKServe, decode.FormatSeldon:
		if kind := s.cloudType(raw); kind != "" && !strings.HasSuffix(kind, ".request") && !strings.HasSuffix(kind, ".response") {
			return fmt.Sprintf("the CloudEvent type %q is neither a request nor a response", kind)
		}
		return "it holds no rows: a tensor of the shape [0], an empty list, or no body"
	case decode.FormatGenAI:
		return s.whyNoGenAI()
	case decode.FormatMapping:
		return "no section of the mapping file takes it: check its when, and that its rows are not empty"
	}
	return "it holds no event of the topic, such as a batch without rows"
}

func (s *sourced) cloudType(raw map[string]json.RawMessage) string {
	for _, h := range s.around.Fields {
		if strings.EqualFold(h.Name, "ce_type") || strings.EqualFold(h.Name, "ce-type") {
			return h.Value
		}
	}
	return text(raw["type"])
}

// whyNoGenAI names what log records of OpenTelemetry must be called.
func (s *sourced) whyNoGenAI() string {
	var events []string
	for _, kind := range s.source.Holds {
		switch kind {
		case decode.KindPredictions:
			events = append(events, "gen_ai.client.inference.operation.details")
		case decode.KindLabels:
			events = append(events, fmt.Sprintf("gen_ai.evaluation.result with gen_ai.evaluation.name %q and a score", s.source.Evaluation))
		}
	}
	return "a log record is no event of the topic, which takes " + strings.Join(events, ", and ")
}

// text is a JSON string, or "".
func text(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// advice adds to the decoder's reason in which unit a refused time seems to be.
func (s *sourced) advice(refused *decode.Error, line int, value []byte) []string {
	if refused.Reason != decode.TimeOutOfRange && refused.Reason != decode.BadValue {
		return nil
	}
	var record any
	if json.Unmarshal(value, &record) == nil {
		if name, unit := timeIn(record); unit != "" {
			return []string{looksLike(name, unit)}
		}
		return nil
	}
	if refused.Reason == decode.BadValue {
		return nil
	}
	return s.probe(line, value)
}

// timeIn finds a field that is named like a time and holds one in another unit than
// milliseconds.
func timeIn(v any) (name, unit string) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if number, ok := value.(float64); ok && has(name, "ts", "time", "timestamp", "date") {
				if unit := unixUnit([]byte(fmt.Sprintf("%.0f", number))); unit != "" {
					return plain(name), unit
				}
			}
			if name, unit := timeIn(value); unit != "" {
				return name, unit
			}
		}
	case []any:
		for _, item := range v {
			if name, unit := timeIn(item); unit != "" {
				return name, unit
			}
		}
	}
	return "", ""
}

// probe decodes a record of which only the decoder knows the fields once more, with all
// the time in the world: what is refused even so is in another unit.
func (s *sourced) probe(line int, value []byte) []string {
	limits := s.limits
	limits.MaxAge, limits.MaxAhead = math.MaxInt64*time.Nanosecond, 24*time.Hour
	columns := s.source.Columns(limits)
	d, err := s.source.Open(columns)
	if err != nil {
		return nil
	}
	err = d.Append(s.record(line, value))
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "before 2000") {
		return []string{"ts lies before 2000: it may be Unix seconds; send Unix milliseconds or RFC 3339"}
	}
	return []string{"ts lies ahead: it may be Unix microseconds or nanoseconds; send Unix milliseconds or RFC 3339"}
}
