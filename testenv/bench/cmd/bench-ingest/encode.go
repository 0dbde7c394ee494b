package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/testenv/bench"
)

// wire is a format of the events on Kafka.
type wire struct {
	name string
	// source says how ingest is to read them, without the topic.
	source decode.Source
	// perMessage is how many events a message carries.
	perMessage int
	// goal is the bar for the client's side, in events per CPU-second.
	goal float64
	// encode makes the messages of the next n events.
	encode func(events *bench.Events, n int) ([]kafka.Message, error)
}

func wires() []wire {
	return []wire{
		{"json", decode.Source{Format: decode.FormatJSON}, 1, 0.9e6, jsonMessages},
		{"avro", decode.Source{Format: decode.FormatAvro}, 1, 3e6, avroMessages},
		{"arrow", decode.Source{Format: decode.FormatArrow}, arrowRows, 4e6, arrowMessages},
	}
}

func wireOf(format string) (wire, error) {
	all := wires()
	if i := slices.IndexFunc(all, func(w wire) bool { return w.name == format }); i >= 0 {
		return all[i], nil
	}
	return wire{}, fmt.Errorf("format %q: no encoder", format)
}

func jsonMessages(events *bench.Events, n int) ([]kafka.Message, error) {
	messages := make([]kafka.Message, n)
	for i := range messages {
		e := events.Next()
		messages[i] = kafka.Message{Key: slices.Clone(e.ID), Value: e.AppendJSON(nil), Time: time.UnixMilli(e.TS)}
	}
	return messages, nil
}

// arrowRows is the number of events of an Arrow message, as in the facts that
// the goals come from.
const arrowRows = 1000

// arrowMessages encodes events as IPC streams, names as dictionaries.
func arrowMessages(events *bench.Events, n int) ([]kafka.Message, error) {
	schema := arrowSchema()
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	var messages []kafka.Message
	for at := 0; at < n; at += arrowRows {
		var last int64
		for range min(arrowRows, n-at) {
			e := events.Next()
			last = e.TS
			if err := appendArrow(builder, e); err != nil {
				return nil, err
			}
		}
		rec := builder.NewRecord()
		var out bytes.Buffer
		w := ipc.NewWriter(&out, ipc.WithSchema(schema))
		err := errors.Join(w.Write(rec), w.Close())
		rec.Release()
		if err != nil {
			return nil, err
		}
		messages = append(messages, kafka.Message{Value: out.Bytes(), Time: time.UnixMilli(last)})
	}
	return messages, nil
}

func arrowSchema() *arrow.Schema {
	name := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	fields := []arrow.Field{
		{Name: "prediction_id", Type: arrow.BinaryTypes.String},
		{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		{Name: "model", Type: name}, {Name: "deploy_hash", Type: name}, {Name: "predicted", Type: name},
		{Name: "score", Type: arrow.PrimitiveTypes.Float64}, {Name: "latency_ms", Type: arrow.PrimitiveTypes.Float64},
	}
	for i := range bench.Numbers {
		fields = append(fields, arrow.Field{Name: "features." + bench.NumberName(i), Type: arrow.PrimitiveTypes.Float64})
	}
	for i := range bench.Categories {
		fields = append(fields, arrow.Field{Name: "features." + bench.CategoryName(i), Type: name})
	}
	return arrow.NewSchema(fields, nil)
}

func appendArrow(b *array.RecordBuilder, e *bench.Event) error {
	b.Field(0).(*array.StringBuilder).Append(string(e.ID))
	b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(e.TS))
	const categories = 7 + bench.Numbers
	texts := map[int]string{2: bench.Model, 3: bench.Deploy, 4: e.Predicted()}
	for i, v := range e.Categories {
		texts[categories+i] = bench.CategoryValue(i, v)
	}
	var errs []error
	for field, text := range texts {
		errs = append(errs, b.Field(field).(*array.BinaryDictionaryBuilder).AppendString(text))
	}
	for i, v := range append([]float64{e.Score, e.Latency}, e.Numbers[:]...) {
		b.Field(5 + i).(*array.Float64Builder).Append(v)
	}
	return errors.Join(errs...)
}
