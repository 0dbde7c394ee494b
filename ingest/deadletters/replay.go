package deadletters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Options say how to replay.
type Options struct {
	// DryRun does everything but produce.
	DryRun bool
	// Again replays also what was replayed before.
	Again bool
	// Limit ends the replay after so many records; 0 is none.
	Limit int
}

// Verdict says what became of a letter.
type Verdict int

// The verdicts.
const (
	Replayed Verdict = iota
	// Skipped: it was replayed before, or it is the same record as another
	// letter of this replay.
	Skipped
	// Impossible: the letter does not hold the whole record and its source is
	// gone, or it names no source, or it is sealed and the key is not there, or
	// the source partition is gone or takes no record so large.
	Impossible
)

// Outcome is what a replay did with one letter.
type Outcome struct {
	Letter  Letter
	Verdict Verdict
	// To is where the record stands now. Its Offset is -1 in a dry run.
	To Position
	// Time is the Kafka timestamp it was given.
	Time time.Time
	// Note says why, or how this replay differs from the original; may be empty.
	Note string
}

// Replay produces the records of the letters that match to their source
// partitions, one at a time in the order of the letters, each acknowledged by
// all replicas, and tells of every letter through report. A record keeps its
// key, value, headers and Kafka timestamp, and gets the header ReplayedFrom.
//
// Where the refused record can still be read at its source, it is copied from
// there: it is whole. Where it cannot, the letter is used; if that does not say
// the record's timestamp, it gets the time at which it was refused, and the
// outcome says so.
//
// An error ends the replay. What was reported is done; the letter in hand may
// or may not have been written, and the next replay finds out.
func (b *Box) Replay(ctx context.Context, f Filter, o Options, report func(Outcome)) error {
	letters, err := b.collect(ctx, f)
	if err != nil {
		return err
	}
	done := make(map[Origin]Position)
	if !o.Again {
		if done, err = b.replayed(ctx, letters); err != nil {
			return err
		}
	}
	twins := make(map[Origin]Position)
	written := 0
	for _, at := range letters {
		if o.Limit > 0 && written >= o.Limit {
			return nil
		}
		l, err := b.Get(ctx, at.letter.Partition, at.letter.Offset)
		if err != nil {
			return fmt.Errorf("replay %s: %w", at.letter, err)
		}
		out, err := b.replay(ctx, l, o, done, twins)
		if err != nil {
			return fmt.Errorf("replay %s: %w", at.letter, err)
		}
		if out.Verdict == Replayed {
			written++
			twins[l.Source] = l.At
		}
		report(out)
	}
	return nil
}

// pair is a letter and its source, which is all that a replay keeps of the
// letters it will come to.
type pair struct {
	letter    Position
	source    Origin
	malformed bool
}

func (b *Box) collect(ctx context.Context, f Filter) (all []pair, err error) {
	err = b.Each(ctx, f, func(l Letter) error {
		all = append(all, pair{l.At, l.Source, l.Malformed != ""})
		return nil
	})
	return all, err
}

// replayed finds the records that earlier replays made of these letters: it
// reads each source partition from the oldest refused record on.
func (b *Box) replayed(ctx context.Context, letters []pair) (map[Origin]Position, error) {
	oldest := make(map[place]int64)
	for _, l := range letters {
		if l.malformed {
			continue
		}
		at := place{l.source.Topic, l.source.Partition}
		if first, ok := oldest[at]; !ok || l.source.Offset < first {
			oldest[at] = l.source.Offset
		}
	}
	done := make(map[Origin]Position)
	for at, first := range oldest {
		if _, end, err := b.bounds(ctx, at.topic, at.partition); err == nil && first >= end {
			first = 0 // the topic was recreated and counts anew
		}
		err := b.scan(ctx, at.topic, at.partition, first, 1<<63-1, func(rec record) error {
			if from, ok := parseOrigin(rec.Headers); ok {
				done[from] = Position{at.topic, at.partition, rec.Offset}
			}
			return nil
		})
		if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
			return nil, fmt.Errorf("look for earlier replays: %w", err)
		}
	}
	return done, nil
}

// replay decides on one letter and produces it.
func (b *Box) replay(ctx context.Context, l Letter, o Options, done, twins map[Origin]Position) (Outcome, error) {
	out := Outcome{Letter: l, To: Position{l.Source.Topic, l.Source.Partition, -1}}
	if l.Malformed != "" {
		out.Verdict, out.Note = Impossible, l.Malformed
		return out, nil
	}
	if before, ok := done[l.Source]; ok {
		out.Verdict, out.To, out.Note = Skipped, before, fmt.Sprintf("replayed before, as %s; --again repeats it", before)
		return out, nil
	}
	if twin, ok := twins[l.Source]; ok {
		out.Verdict, out.Note = Skipped, fmt.Sprintf("letter %d is the same record", twin.Offset)
		return out, nil
	}
	if closed := b.closedText(&l); closed != "" {
		out.Verdict, out.Note = Impossible, closed
		return out, nil
	}
	out.Letter = l
	rec, note, err := b.original(ctx, l)
	if lost := lostText(err); lost != "" {
		out.Verdict, out.Note = Impossible, lost
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Note, out.Time = note, rec.Time
	if !o.DryRun {
		out.To.Offset, err = b.produce(ctx, l.Source, rec)
		if lost := lostText(err); lost != "" {
			out.Verdict, out.To.Offset, out.Note = Impossible, -1, lost
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// closedText opens a letter, or says why it cannot be opened.
func (b *Box) closedText(l *Letter) string {
	if err := b.Open(l); err != nil {
		return err.Error()
	}
	return ""
}

// errLost marks a record of which only a part is left.
var errLost = errors.New("the letter holds only the beginning of the record, and the source is gone")

// lostText says why one letter cannot be replayed though others can; it is
// empty if err is none or concerns them all.
func lostText(err error) string {
	switch {
	case errors.Is(err, errLost), errors.Is(err, kafka.UnknownTopicOrPartition), errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return err.Error()
	case errors.Is(err, kafka.MessageSizeTooLarge):
		// It came in compressed, or without the header that a replay adds.
		return fmt.Sprintf("%s; raise max.message.bytes of the topic, and replay it again", err)
	}
	return ""
}

// original returns the record that was refused, as whole and as old as it can
// be had. Of a record that carries several events only the refused one is
// wanted, and the letter has it.
func (b *Box) original(ctx context.Context, l Letter) (record, string, error) {
	if l.Source.Event < 0 {
		rec, ok, err := b.at(ctx, l.Source.Position)
		if err != nil {
			return record{}, "", err
		}
		if ok && l.isOf(rec) {
			return rec, "", nil
		}
	}
	if l.Cut() {
		return record{}, "", errLost
	}
	rec := record{Time: l.Original, Key: l.Key, Value: l.Value, Headers: l.original()}
	if l.Original.IsZero() {
		rec.Time = l.Time
		return rec, "the source record is gone: the timestamp is the letter's", nil
	}
	return rec, "", nil
}

// produce writes a record to the partition it came from and returns its offset.
func (b *Box) produce(ctx context.Context, from Origin, rec record) (int64, error) {
	// Of several replays the last one tells.
	headers := slices.DeleteFunc(slices.Clone(rec.Headers), func(h kafka.Header) bool { return h.Key == ReplayedFrom })
	headers = append(headers, kafka.Header{Key: ReplayedFrom, Value: []byte(from.String())})
	r, err := b.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: from.Topic, Partition: from.Partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{
			Time: rec.Time, Key: kafka.NewBytes(rec.Key), Value: kafka.NewBytes(rec.Value), Headers: headers,
		}),
	})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		return 0, fmt.Errorf("produce to %s/%d: %w", from.Topic, from.Partition, err)
	}
	for _, err := range r.RecordErrors {
		return 0, fmt.Errorf("produce to %s/%d: %w", from.Topic, from.Partition, err)
	}
	return r.BaseOffset, nil
}
