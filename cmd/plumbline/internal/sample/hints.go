package sample

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// squash makes names of one meaning alike: deployHash, deploy-hash, DEPLOY_HASH.
func squash(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// meant returns the field that an unknown one was probably meant to be, or "".
func meant(name string, known []string) string {
	other := map[string]string{
		"timestamp": "ts", "time": "ts", "eventtime": "ts", "date": "ts", "id": "prediction_id", "requestid": "prediction_id",
		"inferenceid": "prediction_id", "modelname": "model", "modelid": "model", "modelversion": "deploy_hash", "deploy": "deploy_hash",
		"deployment": "deploy_hash", "environment": "stage", "env": "stage", "inputs": "features", "input": "features",
		"feature": "features", "segment": "segments", "tags": "segments", "probability": "score", "prediction": "predicted",
		"output": "predicted", "latency": "latency_ms", "durationms": "latency_ms", "groundtruth": "label", "actual": "label",
		"truth": "label", "target": "label", "author": "by", "user": "by", "sha": "commit", "sampleweight": "weight",
	}
	for _, k := range known {
		if squash(k) == squash(name) || other[squash(name)] == k {
			return k
		}
	}
	return ""
}

// unknownFields names the top-level fields that the decoder skips. counted is
// how many the decoder saw, for events that only the decoder can read.
func unknownFields(raw map[string]json.RawMessage, known []string, counted int) []string {
	if raw == nil && counted > 0 {
		return []string{fmt.Sprintf("%d unknown top-level fields are skipped", counted)}
	}
	var hints []string
	for name := range raw {
		if slices.Contains(known, name) {
			continue
		}
		hint := fmt.Sprintf("unknown top-level field %s is skipped", strconv.Quote(name))
		if k := meant(name, known); k != "" {
			hint += fmt.Sprintf("; is it %s?", k)
		} else if slices.Contains(known, "features") {
			hint += "; features belong into features, dimensions into segments"
		}
		hints = append(hints, hint)
	}
	slices.Sort(hints)
	return hints
}

// advice adds to the decoder's reason what only a look at the text shows.
func advice(refused *decode.Error, raw map[string]json.RawMessage, at time.Time) []string {
	switch refused.Reason {
	case decode.TimeOutOfRange:
		if unit := unixUnit(raw["ts"]); unit != "" {
			return []string{looksLike("ts", unit)}
		}
		return []string{"the sample was read as if its Kafka timestamp were " + at.UTC().Format(time.RFC3339) + "; --at sets another"}
	case decode.MissingField:
		if refused.Field == "deploy_hash" && len(raw["label"]) > 0 {
			return []string{"it looks like a label; those are checked with --kind=label"}
		}
	case decode.BadValue:
		if refused.Field == "ts" && len(raw["ts"]) > 0 {
			return []string{wrongTime(raw["ts"])}
		}
	case decode.WrongType:
		if quotedNumber(raw[refused.Field]) {
			return []string{"the number is sent as text; leave out the quotes"}
		}
	case decode.TooNested:
		return []string{"flatten it: {\"a\":{\"b\":1}} becomes {\"a.b\":1}; a list becomes one feature an element, or a count"}
	case decode.Unparsable:
		if raw != nil {
			return nil
		}
		return []string{"one event a line: an event over several lines is read only if it is alone in the file"}
	}
	return nil
}

// wrongTime says what is missing from a time, or that it has the form of one and is
// not in the calendar.
func wrongTime(raw json.RawMessage) string {
	if unit := unixUnit(raw); unit != "" {
		return looksLike("ts", unit)
	}
	if quotedNumber(raw) {
		return "the number is sent as text; leave out the quotes"
	}
	const form = "; RFC 3339 needs a T between date and time, and a zone such as Z or +02:00"
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "ts is " + plain(string(raw)) + form
	}
	var wrong *time.ParseError
	if _, err := time.Parse(time.RFC3339, text); errors.As(err, &wrong) && strings.HasSuffix(wrong.Message, "out of range") {
		return "ts is " + strconv.Quote(text) + wrong.Message
	}
	return "ts is " + strconv.Quote(text) + form
}

func looksLike(field, unit string) string {
	return field + " looks like Unix " + unit + "; send Unix milliseconds or RFC 3339"
}

// unixUnit names the unit of a number that is a time between 2001 and 2286 in
// another unit than milliseconds.
func unixUnit(raw json.RawMessage) string {
	v, err := strconv.ParseFloat(string(raw), 64)
	switch {
	case err != nil:
		return ""
	case v >= 1e9 && v < 1e10:
		return "seconds"
	case v >= 1e15 && v < 1e16:
		return "microseconds"
	case v >= 1e18 && v < 1e19:
		return "nanoseconds"
	}
	return ""
}

func quotedNumber(raw json.RawMessage) bool {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return false
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// Events further from their Kafka timestamp are accepted, and rarely meant.
const (
	farBehind = 24 * time.Hour
	farAhead  = time.Minute
)

func timeHint(d decoder, at time.Time) []string {
	var ts int64
	switch d := d.(type) {
	case predictions:
		ts = d.TS[d.Len()-1]
		if string(d.Stage.At(d.Len()-1)) == "training" {
			return nil // training rows are old by nature
		}
	case labels:
		ts = d.TS[d.Len()-1]
	case deployments:
		ts = d.TS[d.Len()-1]
	case kpis:
		ts = d.TS[d.Len()-1]
	}
	distance := time.UnixMilli(ts).Sub(at).Round(time.Second)
	switch {
	case distance < -farBehind:
		return []string{fmt.Sprintf("ts lies %s before the Kafka timestamp assumed, %s; fine for a backfill or an old sample", -distance, at.UTC().Format(time.RFC3339))}
	case distance > farAhead:
		return []string{fmt.Sprintf("ts lies %s after the Kafka timestamp assumed, %s; check the producer's clock and zone", distance, at.UTC().Format(time.RFC3339))}
	}
	return nil
}

// predictionHints are about one prediction alone.
func predictionHints(p predictions) []string {
	i := p.Len() - 1
	var hints []string
	score, scored := p.Score.At(i)
	_, valued := p.PredictedValue.At(i)
	if scored && finite(score) && (score < 0 || score > 1) {
		hints = append(hints, "score is outside 0 to 1: if it is no probability, set ingest.score_kinds for the model to number")
	}
	if !scored && !valued && len(p.Predicted.At(i)) == 0 {
		hints = append(hints, "neither score nor predicted: only volume, latency and features can be watched")
	}
	if latency, ok := p.Latency.At(i); ok && (latency < 0 || latency > 600_000) {
		hints = append(hints, "latency_ms is below 0 or above 10 minutes; its unit is milliseconds")
	}
	return append(hints, valueHints(p.Predictions, i)...)
}

// valueHints are about numbers that are stored otherwise than they are meant.
func valueHints(p *decode.Predictions, i int) (hints []string) {
	for _, f := range []struct {
		name   string
		values *decode.Floats
	}{{"score", &p.Score}, {"predicted", &p.PredictedValue}, {"latency_ms", &p.Latency}, {"disagreement", &p.Disagreement}} {
		if v, ok := f.values.At(i); ok && !finite(v) {
			hints = append(hints, f.name+" is "+number(v)+": stored, and counted as such and not as a value; leave it out if there is none")
		}
	}
	first, last := p.Numbers.Row(i)
	for k := first; k < last; k++ {
		name, v := feature(p.Features.Value(p.Numbers.Keys[k])), p.NumberValues[k]
		switch {
		case !finite(v):
			hints = append(hints, name+" is "+number(v)+": stored and counted as such; send null if the value is missing")
		case math.Abs(v) >= 1<<53 && math.Abs(v) < 1<<64:
			hints = append(hints, name+" is a whole number from 2^53 on: it is rounded to "+strconv.FormatFloat(v, 'f', 0, 64)+", as its neighbours are; if it is an identifier, leave it out or send it as a text")
		}
	}
	return hints
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
