package ingest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/dial"
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
	// size is the length of the whole value in bytes.
	size int
	// events is how many events of the record it holds.
	events int
}

// newLetter copies a refused record with the reason in its headers.
func newLetter(at source, rec *record, refused *decode.Error) letter {
	var headers []kafka.Header
	size, lacks := 0, []string(nil)
	for key, value := range rec.Headers() {
		if size += len(key) + len(value); size > maxLetterHeaders {
			lacks = []string{"headers"}
			break
		}
		headers = append(headers, kafka.Header{Key: string(key), Value: bytes.Clone(value)})
	}
	own := len(headers)
	for _, h := range [][2]string{
		{deadletters.HeaderTopic, at.Topic},
		{deadletters.HeaderPartition, strconv.Itoa(at.Partition)},
		{deadletters.HeaderOffset, strconv.FormatInt(rec.Offset, 10)},
		{deadletters.HeaderTime, strconv.FormatInt(rec.Known, 10)},
		{deadletters.HeaderStage, "VALUE_CONVERTER"},
		{deadletters.HeaderClass, deadletters.ClassPrefix + refused.Reason.String()},
		{deadletters.HeaderMessage, refused.Error()},
	} {
		headers = append(headers, kafka.Header{Key: h[0], Value: []byte(h[1])})
	}
	l := letter{
		reason:  refused.Reason,
		message: kafka.Message{Key: bytes.Clone(rec.Key[:min(len(rec.Key), maxLetterKey)]), Value: bytes.Clone(rec.Value[:min(len(rec.Value), maxLetter)]), Headers: headers},
		sample:  fmt.Sprintf("offset %d, %s", rec.Offset, refused), known: rec.Known, own: own, size: len(rec.Value), events: 1,
	}
	if len(rec.Key) > maxLetterKey {
		lacks = append(lacks, "key")
	}
	if len(rec.Value) > maxLetter {
		lacks = append(lacks, "value")
	}
	l.lack(lacks...)
	return l
}

// newRowLetter makes a letter of one event of a record that carries several. Its
// value is that event alone, so that a replay does not send the others again.
func newRowLetter(at source, rec *record, r decode.Refusal) letter {
	row := *rec
	row.Value = r.Value
	l := newLetter(at, &row, r.Error)
	l.events += r.More
	l.message.Headers = append(l.message.Headers, kafka.Header{Key: deadletters.HeaderEvent, Value: []byte(strconv.Itoa(r.Index))})
	return l
}

// lack notes in the letter's headers what of the record it does not hold whole.
func (l *letter) lack(parts ...string) {
	own, rest := l.message.Headers[:l.own:l.own], l.message.Headers[l.own:]
	for _, h := range rest {
		switch h.Key {
		case deadletters.HeaderCut:
			parts = append(parts, strings.Split(string(h.Value), ",")...)
		case deadletters.HeaderSize:
		default:
			own = append(own, h)
		}
	}
	slices.Sort(parts)
	parts = slices.Compact(parts)
	if len(parts) > 0 {
		own = append(own, kafka.Header{Key: deadletters.HeaderCut, Value: []byte(strings.Join(parts, ","))})
	}
	if slices.Contains(parts, "value") {
		own = append(own, kafka.Header{Key: deadletters.HeaderSize, Value: []byte(strconv.Itoa(l.size))})
	}
	l.message.Headers = own
}

// leastValue is where halving a value does not make a letter much smaller.
const leastValue = 256

// cut returns the letter with half of its value, then without value, key and
// the record's own headers; ok is false if nothing is left to take away.
func (l letter) cut() (smaller letter, ok bool) {
	switch {
	case len(l.message.Value) > leastValue:
		l.message.Value = l.message.Value[:len(l.message.Value)/2]
		l.lack("value")
	case len(l.message.Value) > 0 || len(l.message.Key) > 0 || l.own > 0:
		var parts []string
		for part, gone := range map[string]bool{"value": len(l.message.Value) > 0, "key": len(l.message.Key) > 0, "headers": l.own > 0} {
			if gone {
				parts = append(parts, part)
			}
		}
		l.message.Value, l.message.Key = nil, nil
		l.message.Headers, l.own = l.message.Headers[l.own:], 0
		l.lack(parts...)
	default:
		return l, false
	}
	return l, true
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

// send returns the letters that are not acknowledged, and why. One that the
// topic does not take for its size is cut and sent again. After a time-out a
// letter may be written and still be returned: it is written twice, and its
// offset header tells so.
func (b *letterbox) send(ctx context.Context, letters []letter) (left []letter, err error) {
	errs := b.write(ctx, letters)
	for i, l := range letters {
		rest := letters[i : i+1]
		switch {
		case errs[i] == nil:
			rest = nil
		case !tooLarge(errs[i]):
		case len(letters) > 1: // It is the request that is too large, not each letter.
			rest, errs[i] = b.send(ctx, rest)
		default:
			if smaller, ok := l.cut(); ok {
				rest, errs[i] = b.send(ctx, []letter{smaller})
			}
		}
		left = append(left, rest...)
	}
	// What no retry mends goes first.
	i := max(0, slices.IndexFunc(errs, func(err error) bool { return err != nil && !letterAgain(err) }))
	if err := cmp.Or(errs[i], errors.Join(errs...)); err != nil {
		return left, fmt.Errorf("produce %d of %d dead letters to %s: %w", len(left), len(letters), b.writer.Topic, err)
	}
	return nil, nil
}

func tooLarge(err error) bool {
	var client kafka.MessageTooLargeError
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge) || errors.As(err, &client)
}

// letterAgain reports whether the topic may take a letter at another time
// without somebody changing it, the letter or who may write it.
func letterAgain(err error) bool {
	var code kafka.Error
	var parked *parkError
	switch {
	case errors.As(err, &parked) || dial.Refused(err):
		return false
	case errors.As(err, &code):
		return code.Temporary() || code == kafka.Unknown
	}
	return true
}

// write sends each letter once and returns an error, or none, a letter.
func (b *letterbox) write(ctx context.Context, letters []letter) []error {
	messages := make([]kafka.Message, len(letters))
	for i, l := range letters {
		var err error
		if messages[i], err = b.seal(l); err != nil {
			return repeat(park("%w", err), len(letters))
		}
	}
	err := b.writer.WriteMessages(ctx, messages...)
	if each := (kafka.WriteErrors)(nil); errors.As(err, &each) {
		return each
	}
	return repeat(err, len(letters))
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

// bury sends dead letters until each is acknowledged. It parks the partition if
// the topic takes one in no form, or not from us: an event that is neither stored
// nor a letter must not be passed.
func (w *worker) bury(ctx context.Context, letters []letter) error {
	all, attempts := letters, 0
	send := func(ctx context.Context) (err error) {
		attempts++
		if len(letters) > 0 {
			letters, err = w.i.letters.send(ctx, letters)
		}
		return err
	}
	again := func(err error) bool {
		// A topic that is being made is unknown for a while.
		return letterAgain(err) && !(errors.Is(err, kafka.UnknownTopicOrPartition) && attempts >= maxFetchFailures)
	}
	if err := w.parkUnless(ctx, w.i.retry(ctx, "dead_letters", send, again), again, "bury what was refused of %s", w.at); err != nil {
		return err
	}
	w.tellLetters(all)
	return nil
}

// tellLetters logs once a batch that it has dead letters. The first says why and at
// which offset, and nothing of its value.
func (w *worker) tellLetters(all []letter) {
	if len(all) == 0 {
		return
	}
	w.i.log.Warn("events were refused", "topic", w.at.Topic, "partition", w.at.Partition, "events", deadEvents(all), "letters", len(all), "first", all[0].sample)
}

func (b *letterbox) close() error { return b.writer.Close() }
