package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// record is one Kafka record. Key and Value are valid during the visit only.
type record struct {
	Offset     int64
	Known      int64 // Unix milliseconds
	Key, Value []byte
	Headers    []kafka.Header
}

// fetcher reads one partition. Records are CRC-checked by kafka-go's Client;
// control records of transactions are dropped.
type fetcher struct {
	link      *link
	topic     string
	partition int
	maxBytes  int64

	key, value []byte // reused from record to record
}

// errStop is returned by a visitor that wants no more records of this fetch.
var errStop = errors.New("stop")

// fetch asks for records from offset on, waiting at most wait, and visits each.
// It returns the offset to go on from and the end of the partition. A visitor's
// error ends the fetch; errStop does so without being an error.
func (f *fetcher) fetch(ctx context.Context, offset int64, wait time.Duration, visit func(record) error) (next, end int64, err error) {
	client := f.link.get()
	ctx, cancel := context.WithTimeout(ctx, wait+20*time.Second)
	defer cancel()
	r, err := client.Fetch(ctx, &kafka.FetchRequest{
		Topic: f.topic, Partition: f.partition, Offset: offset,
		MinBytes: 1, MaxBytes: f.maxBytes, MaxWait: wait, IsolationLevel: kafka.ReadCommitted,
	})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		f.link.renew(client)
		return offset, 0, fmt.Errorf("fetch %s/%d at %d: %w", f.topic, f.partition, offset, err)
	}
	next = offset
	err = f.records(r.Records, &next, visit)
	if errors.Is(err, errStop) {
		err = nil
	}
	return next, r.HighWatermark, err
}

func (f *fetcher) records(r kafka.RecordReader, next *int64, visit func(record) error) error {
	switch r := r.(type) {
	case *protocol.RecordStream:
		for _, inner := range r.Records {
			if err := f.records(inner, next, visit); err != nil {
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
			return fmt.Errorf("read records of %s/%d at %d: %w", f.topic, f.partition, *next, err)
		}
		if err := f.visit(rec, next, visit); err != nil {
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
			return fmt.Errorf("read control records: %w", err)
		}
		*next = max(*next, c.Offset+1)
	}
}

func (f *fetcher) visit(rec *protocol.Record, next *int64, visit func(record) error) error {
	defer closeBytes(rec.Key)
	defer closeBytes(rec.Value)
	// A broker answers with whole batches, which may begin before the offset.
	if rec.Offset < *next {
		return nil
	}
	var err error
	if f.key, err = readBytes(f.key[:0], rec.Key); err != nil {
		return err
	}
	if f.value, err = readBytes(f.value[:0], rec.Value); err != nil {
		return err
	}
	err = visit(record{Offset: rec.Offset, Known: rec.Time.UnixMilli(), Key: f.key, Value: f.value, Headers: rec.Headers})
	if err != nil {
		return err
	}
	*next = rec.Offset + 1
	return nil
}

func closeBytes(b protocol.Bytes) {
	if b != nil {
		// Returns pages to a pool; it cannot fail.
		_ = b.Close()
	}
}

func readBytes(into []byte, b protocol.Bytes) ([]byte, error) {
	if b == nil {
		return into, nil
	}
	n := b.Len()
	if cap(into) < n {
		into = make([]byte, 0, n+n/4)
	}
	into = into[:n]
	if _, err := io.ReadFull(b, into); err != nil {
		return into, fmt.Errorf("read record bytes: %w", err)
	}
	return into, nil
}
