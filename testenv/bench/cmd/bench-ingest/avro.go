package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/testenv/bench"
)

// avroSchema is the schema of the events, for a source that has it as a file.
func avroSchema() []byte {
	var fields []string
	add := func(name, typ string) { fields = append(fields, fmt.Sprintf(`{"name":%q,"type":%s}`, name, typ)) }
	for i := range bench.Numbers {
		add(bench.NumberName(i), `"double"`)
	}
	for i := range bench.Categories {
		add(bench.CategoryName(i), `"string"`)
	}
	features := fmt.Sprintf(`{"type":"record","name":"Features","fields":[%s]}`, strings.Join(fields, ","))
	fields = nil
	for _, name := range []string{"prediction_id", "model", "deploy_hash"} {
		add(name, `"string"`)
	}
	add("ts", `{"type":"long","logicalType":"timestamp-millis"}`)
	add("features", features)
	add("score", `"double"`)
	add("predicted", `"string"`)
	add("latency_ms", `"double"`)
	return fmt.Appendf(nil, `{"type":"record","name":"Prediction","namespace":"bench","fields":[%s]}`, strings.Join(fields, ","))
}

// appendAvro appends the event as Avro's binary encoding.
func appendAvro(b []byte, e *bench.Event) []byte {
	text := func(s string) { b = append(binary.AppendVarint(b, int64(len(s))), s...) }
	double := func(v float64) { b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v)) }
	text(string(e.ID))
	text(bench.Model)
	text(bench.Deploy)
	b = binary.AppendVarint(b, e.TS)
	for _, v := range e.Numbers {
		double(v)
	}
	for i, v := range e.Categories {
		text(bench.CategoryValue(i, v))
	}
	double(e.Score)
	text(e.Predicted())
	double(e.Latency)
	return b
}

func avroMessages(events *bench.Events, n int) ([]kafka.Message, error) {
	messages := make([]kafka.Message, n)
	for i := range messages {
		e := events.Next()
		messages[i] = kafka.Message{Key: slices.Clone(e.ID), Value: appendAvro(nil, e), Time: time.UnixMilli(e.TS)}
	}
	return messages, nil
}
