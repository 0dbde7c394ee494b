package sample

import (
	"strconv"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

type predictions struct{ *decode.JSONPredictions }

func (p predictions) unknown() int { return p.Unknown }

func (p predictions) known() []string {
	return []string{"prediction_id", "model", "deploy_hash", "stage", "ts", "features", "segments", "score", "predicted", "latency_ms", "status", "weight", "propensity",
		"votes", "scores", "disagreement", "explained", "explanation"}
}

func (p predictions) describe() []Field { return p.row(p.Len() - 1) }

func (p predictions) row(i int) []Field {
	fields := []Field{
		{"prediction_id", quoted(p.ID.At(i))},
		{"model", quoted(p.Model.At(i))},
		{"deploy_hash", quoted(p.Deploy.At(i))},
		{"stage", string(p.Stage.At(i))},
		{"ts", instant(p.TS[i])},
	}
	first, last := p.Numbers.Row(i)
	for k := first; k < last; k++ {
		fields = append(fields, Field{feature(p.Features.Value(p.Numbers.Keys[k])), "numeric " + number(p.NumberValues[k])})
	}
	first, last = p.Categories.Row(i)
	for k := first; k < last; k++ {
		fields = append(fields, Field{feature(p.Features.Value(p.Categories.Keys[k])), "categorical " + quoted(p.Values.Value(p.CategoryValues[k]))})
	}
	first, last = p.Nulls.Row(i)
	for k := first; k < last; k++ {
		fields = append(fields, Field{feature(p.Features.Value(p.Nulls.Keys[k])), "null"})
	}
	first, last = p.Segments.Row(i)
	for k := first; k < last; k++ {
		fields = append(fields, Field{plain("segments." + string(p.SegmentKeys.Value(p.Segments.Keys[k]))), quoted(p.SegmentTexts.Value(p.SegmentValues[k]))})
	}
	if half := p.Half.At(i); len(half) > 0 {
		fields = append(fields, Field{"half", string(half)})
	}
	fields = append(fields, Field{"score", optional(&p.Score, i)}, Field{"predicted", classOrNumber(p.Predicted.At(i), &p.PredictedValue, i)})
	return append(fields, Field{"latency_ms", optional(&p.Latency, i)}, Field{"status", quoted(p.Status.At(i))}, Field{"weight", number(p.Weight[i])}, Field{"propensity", optional(&p.Propensity, i)},
		Field{"disagreement", optional(&p.Disagreement, i)}, Field{"explained", optional(&p.Explained, i)})
}

type labels struct{ *decode.JSONLabels }

func (l labels) unknown() int    { return l.Unknown }
func (l labels) known() []string { return []string{"prediction_id", "model", "ts", "label"} }

func (l labels) describe() []Field { return l.row(l.Len() - 1) }

func (l labels) row(i int) []Field {
	label := classOrNumber(l.Class.At(i), &l.Value, i)
	if l.Deleted[i] != 0 {
		label = "null: withdraws the labels before it"
	}
	return []Field{
		{"prediction_id", quoted(l.ID.At(i))}, {"model", quoted(l.Model.At(i))},
		{"ts", instant(l.TS[i])}, {"label", label},
	}
}

type deployments struct{ *decode.JSONDeployments }

func (d deployments) unknown() int { return d.Unknown }

func (d deployments) known() []string {
	return []string{"model", "deploy_hash", "stage", "ts", "version", "by", "commit", "dataset_hash", "feature_job", "note"}
}

func (d deployments) describe() []Field { return d.row(d.Len() - 1) }

func (d deployments) row(i int) []Field {
	fields := []Field{
		{"model", quoted(d.Model.At(i))}, {"deploy_hash", quoted(d.Deploy.At(i))},
		{"stage", string(d.Stage.At(i))}, {"ts", instant(d.TS[i])},
	}
	for k, t := range []*decode.Text{&d.Version, &d.By, &d.Commit, &d.DatasetHash, &d.FeatureJob, &d.Note} {
		if value := t.At(i); len(value) > 0 {
			fields = append(fields, Field{d.known()[4+k], quoted(value)})
		}
	}
	return fields
}

type kpis struct{ *decode.JSONKPIs }

func (k kpis) unknown() int    { return k.Unknown }
func (k kpis) known() []string { return []string{"model", "name", "ts", "value", "segment"} }

func (k kpis) describe() []Field { return k.row(k.Len() - 1) }

func (k kpis) row(i int) []Field {
	segment := "none: all traffic"
	if s := k.Segment.At(i); len(s) > 0 {
		segment = quoted(s)
	}
	return []Field{
		{"model", quoted(k.Model.At(i))}, {"name", quoted(k.Name.At(i))}, {"ts", instant(k.TS[i])},
		{"value", number(k.Value[i])}, {"segment", segment},
	}
}

// quoted is a producer's text for a terminal.
func quoted(text []byte) string { return strconv.Quote(string(text)) }

// plain is a name, quoted only where it needs to be.
func plain(name string) string {
	if q := strconv.Quote(name); q[1:len(q)-1] != name {
		return q
	}
	return name
}

func feature(name []byte) string { return plain("features." + string(name)) }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

const none = "none"

func optional(f *decode.Floats, i int) string {
	if v, ok := f.At(i); ok {
		return number(v)
	}
	return none
}

// classOrNumber is a value that is a class or a number; booleans were made the
// classes true and false.
func classOrNumber(class []byte, values *decode.Floats, i int) string {
	if v, ok := values.At(i); ok {
		return "number " + number(v)
	}
	if len(class) == 0 {
		return none
	}
	return "class " + quoted(class)
}
