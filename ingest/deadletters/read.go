package deadletters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/fetch"
)

// record is one Kafka record, with memory of its own.
type record struct {
	Offset     int64
	Time       time.Time
	Key, Value []byte
	Headers    []kafka.Header
}

// place is a topic partition.
type place struct {
	topic     string
	partition int
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
	p := b.reader(topic, partition)
	for empty := 0; from < end; empty++ {
		if empty == patience {
			return fmt.Errorf("read %s/%d at %d: the broker sent nothing, %d times, though the partition ends at %d", topic, partition, from, patience, end)
		}
		chunk, err := p.Fetch(ctx, from, time.Second)
		if err != nil {
			return err
		}
		for r := range chunk.Records() {
			if r.Offset >= end {
				return nil
			}
			if err := visit(copied(r)); errors.Is(err, errStop) {
				return nil
			} else if err != nil {
				return err
			}
		}
		if chunk.Next > from {
			from, empty = chunk.Next, -1
		}
	}
	return nil
}

// reader returns what reads a partition, with the connection of the last scan.
func (b *Box) reader(topic string, partition int) *fetch.Partition {
	at := place{topic, partition}
	if b.readers[at] == nil {
		b.readers[at] = b.fetches.Partition(topic, partition)
	}
	return b.readers[at]
}

func copied(r fetch.Record) record {
	c := record{Offset: r.Offset, Time: time.UnixMilli(r.Timestamp), Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
	for key, value := range r.Headers() {
		c.Headers = append(c.Headers, kafka.Header{Key: string(key), Value: bytes.Clone(value)})
	}
	return c
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
