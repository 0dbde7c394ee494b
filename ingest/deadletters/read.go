package deadletters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// record is one Kafka record, with memory of its own.
type record struct {
	Offset     int64
	Time       time.Time
	Key, Value []byte
	Headers    []kafka.Header
}

// errStop is returned by a visitor that has seen enough.
var errStop = errors.New("stop")

// patience is how often in a row a broker may answer a fetch below the end of a
// partition with nothing.
const patience = 5

// partitions returns the numbers of the partitions of a topic, in order.
func (b *Box) partitions(ctx context.Context, topic string) ([]int, error) {
	r, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("ask for the partitions of %s: %w", topic, err)
	}
	var ids []int
	for _, t := range r.Topics {
		if t.Error != nil {
			return nil, fmt.Errorf("ask for the partitions of %s: %w", topic, t.Error)
		}
		for _, p := range t.Partitions {
			ids = append(ids, p.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// bounds returns the offset of the first record of a partition and the offset
// after its last.
func (b *Box) bounds(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	r, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		IsolationLevel: kafka.ReadCommitted,
		Topics:         map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)}},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("list offsets of %s/%d: %w", topic, partition, err)
	}
	for _, p := range r.Topics[topic] {
		if p.Partition == partition {
			if p.Error != nil {
				return 0, 0, fmt.Errorf("list offsets of %s/%d: %w", topic, partition, p.Error)
			}
			return p.FirstOffset, p.LastOffset, nil
		}
	}
	return 0, 0, fmt.Errorf("list offsets of %s/%d: %w", topic, partition, kafka.UnknownTopicOrPartition)
}

// scan visits the records of a partition from one offset up to another, that
// one left out, both cut to what the partition has now. errStop of the visitor
// ends it without an error.
func (b *Box) scan(ctx context.Context, topic string, partition int, from, to int64, visit func(record) error) error {
	first, end, err := b.bounds(ctx, topic, partition)
	if err != nil {
		return err
	}
	from, end = max(from, first), min(to, end)
	for empty := 0; from < end; {
		next, err := b.fetch(ctx, topic, partition, from, end, visit)
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s/%d at %d: %w", topic, partition, from, err)
		}
		if empty++; next > from {
			from, empty = next, 0
		}
		if empty == patience {
			return fmt.Errorf("read %s/%d at %d: the broker sent nothing, %d times, though the partition ends at %d", topic, partition, from, patience, end)
		}
	}
	return nil
}

// fetch visits the records of one answer and returns the offset to go on from.
func (b *Box) fetch(ctx context.Context, topic string, partition int, from, end int64, visit func(record) error) (int64, error) {
	r, err := b.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: topic, Partition: partition, Offset: from,
		MinBytes: 1, MaxBytes: fetchBytes, MaxWait: time.Second, IsolationLevel: kafka.ReadCommitted,
	})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		return from, err
	}
	next := from
	err = readAll(r.Records, &next, end, visit)
	return next, err
}

// readAll walks the batches of an answer. Control records of transactions move
// the offset and are not visited.
func readAll(r kafka.RecordReader, next *int64, end int64, visit func(record) error) error {
	switch r := r.(type) {
	case *protocol.RecordStream:
		for _, inner := range r.Records {
			if err := readAll(inner, next, end, visit); err != nil {
				return err
			}
		}
		return nil
	case *protocol.ControlBatch:
		return skipControl(r, next)
	}
	for {
		rec, err := r.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visitOne(rec, next, end, visit); err != nil {
			return err
		}
	}
}

func skipControl(r *protocol.ControlBatch, next *int64) error {
	for {
		c, err := r.ReadControlRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		*next = max(*next, c.Offset+1)
	}
}

// visitOne copies a record. A broker answers with whole batches, which may
// begin before the offset and reach beyond the end.
func visitOne(rec *protocol.Record, next *int64, end int64, visit func(record) error) error {
	key, err1 := protocol.ReadAll(rec.Key)
	value, err2 := protocol.ReadAll(rec.Value)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, bytes := range []protocol.Bytes{rec.Key, rec.Value} {
		if bytes != nil {
			// Returns pages to a pool; it cannot fail.
			_ = bytes.Close()
		}
	}
	if rec.Offset < *next || rec.Offset >= end {
		return nil
	}
	*next = rec.Offset + 1
	return visit(record{Offset: rec.Offset, Time: rec.Time, Key: key, Value: value, Headers: rec.Headers})
}

// at returns the record of a position, if it is still there.
func (b *Box) at(ctx context.Context, p Position) (rec record, ok bool, err error) {
	if p.Offset == math.MaxInt64 {
		return record{}, false, nil
	}
	err = b.scan(ctx, p.Topic, p.Partition, p.Offset, p.Offset+1, func(r record) error {
		rec, ok = r, true
		return errStop
	})
	return rec, ok, err
}
