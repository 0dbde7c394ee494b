package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// maxLetter is where the value of a dead letter is cut: an event that is dead
// because it is too large must still fit the topic.
const maxLetter = 1 << 20

// maxLetterBatch is the largest produce request, and what the topic must take.
const maxLetterBatch = maxLetter + 256<<10

// maxLetterKey and maxLetterHeaders bound what else of a record is kept: a key
// is cut, headers beyond the bound are left out.
const (
	maxLetterKey     = 32 << 10
	maxLetterHeaders = 64 << 10
)

// Headers of a dead letter: Kafka Connect's names, so that its tools read them.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerStage     = "__connect.errors.stage"
	headerClass     = "__connect.errors.exception.class.name"
	headerMessage   = "__connect.errors.exception.message"
	// headerSize is ours: the size of the value in bytes, where it was cut.
	headerSize = "plumbline.value.bytes"
	// headerTime is ours: the record's Kafka timestamp in Unix milliseconds, which
	// a replay gives back to it. The letter itself bears the time of the refusal,
	// from which its retention counts.
	headerTime = "plumbline.timestamp"
	// headerEvent is ours: the place, from 0, of the event in a record that
	// carries several.
	headerEvent = "plumbline.event"
)

// letter is a record that could not be stored.
type letter struct {
	reason  decode.Reason
	message kafka.Message
	// sample says for people which record was refused and why. It holds nothing
	// of the value, which may be personal.
	sample string
	known  int64
	// own is the number of the record's own headers, which come first.
	own int
}

// newLetter copies a refused record with the reason in its headers.
func newLetter(at source, rec record, refused *decode.Error) letter {
	value, key := rec.Value, rec.Key[:min(len(rec.Key), maxLetterKey)]
	var headers []kafka.Header
	size := 0
	for key, value := range rec.Headers() {
		if size += len(key) + len(value); size <= maxLetterHeaders {
			headers = append(headers, kafka.Header{Key: string(key), Value: bytes.Clone(value)})
		}
	}
	own := len(headers)
	if len(value) > maxLetter {
		headers = append(headers, kafka.Header{Key: headerSize, Value: []byte(strconv.Itoa(len(value)))})
		value = value[:maxLetter]
	}
	for _, h := range [][2]string{
		{headerTopic, at.Topic},
		{headerPartition, strconv.Itoa(at.Partition)},
		{headerOffset, strconv.FormatInt(rec.Offset, 10)},
		{headerTime, strconv.FormatInt(rec.Known, 10)},
		{headerStage, "VALUE_CONVERTER"},
		{headerClass, "plumbline.decode." + refused.Reason.String()},
		{headerMessage, refused.Error()},
	} {
		headers = append(headers, kafka.Header{Key: h[0], Value: []byte(h[1])})
	}
	return letter{refused.Reason, kafka.Message{
		Key:     append([]byte(nil), key...),
		Value:   append([]byte(nil), value...),
		Headers: headers,
	}, fmt.Sprintf("offset %d, %s", rec.Offset, refused), rec.Known, own}
}

// newRowLetter makes a letter of one event of a record that carries several. Its
// value is that event alone, so that a replay does not send the others again.
func newRowLetter(at source, rec record, r decode.Refusal) letter {
	l := newLetter(at, rec, r.Error)
	l.message.Value = r.Value
	l.message.Headers = append(l.message.Headers, kafka.Header{Key: headerEvent, Value: []byte(strconv.Itoa(r.Index))})
	return l
}

// letterbox produces dead letters, acknowledged by all replicas.
type letterbox struct {
	writer *kafka.Writer
	keys   privacy.Keys
}

func newLetterbox(cfg Config, keys privacy.Keys) *letterbox {
	return &letterbox{keys: keys, writer: &kafka.Writer{
		Addr: kafka.TCP(cfg.Brokers...), Topic: cfg.Topics.DeadLetters,
		RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond, BatchBytes: maxLetterBatch,
		Transport: cfg.Dialer.Transport("plumbline-dead-letters"),
	}}
}

// send returns when every letter is acknowledged. After an error some may be:
// a repeated batch may write a letter twice, and its offset header tells so.
func (b *letterbox) send(ctx context.Context, letters []letter) error {
	if len(letters) == 0 {
		return nil
	}
	messages := make([]kafka.Message, len(letters))
	for i, l := range letters {
		var err error
		if messages[i], err = b.seal(l); err != nil {
			return err
		}
	}
	if err := b.writer.WriteMessages(ctx, messages...); err != nil {
		var many kafka.WriteErrors
		if errors.As(err, &many) {
			return fmt.Errorf("produce %d of %d dead letters to %s: %w", many.Count(), len(letters), b.writer.Topic, errors.Join(many...))
		}
		return fmt.Errorf("produce %d dead letters to %s: %w", len(letters), b.writer.Topic, err)
	}
	return nil
}

// seal hides the refused record, which no rule by feature can reach, from
// whoever may read the topic: key, value and headers are encrypted together.
// What ingest says about it stays readable.
func (b *letterbox) seal(l letter) (kafka.Message, error) {
	if len(b.keys) == 0 {
		return l.message, nil
	}
	contents := privacy.Contents{Key: l.message.Key, Value: l.message.Value}
	var sealed kafka.Message
	// By place, not by name: the record may be somebody else's dead letter, whose
	// headers have the same names and quote the value.
	for _, h := range l.message.Headers[:l.own] {
		contents.Headers = append(contents.Headers, privacy.Header{Key: h.Key, Value: h.Value})
	}
	sealed.Headers = append(sealed.Headers, l.message.Headers[l.own:]...)
	id, value, err := b.keys.SealContents(l.known, contents)
	if err != nil {
		return kafka.Message{}, fmt.Errorf("seal a dead letter: %w", err)
	}
	sealed.Value = value
	sealed.Headers = append(sealed.Headers, kafka.Header{Key: privacy.SealedHeader, Value: []byte(id)})
	return sealed, nil
}

func (b *letterbox) close() error { return b.writer.Close() }
