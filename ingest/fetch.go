package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/fetch"
)

// record is one Kafka record. It, with key, value and headers, is valid during the
// visit only. It goes by reference: each copy would take as long as a field does.
type record struct {
	fetch.Record
	Known int64 // Unix milliseconds
}

// fetcher visits the records of one partition: CRC-checked, without control
// records and aborted transactions.
type fetcher struct {
	partition *fetch.Partition
	name      string
	current   record // that is visited
}

func newFetcher(f *fetch.Fetcher, topic string, partition int) fetcher {
	return fetcher{partition: f.Partition(topic, partition), name: PartitionName(topic, partition)}
}

// errStop is returned by a visitor that wants no more records of this fetch.
var errStop = errors.New("stop")

// fetch asks for records from offset on, waiting at most wait, and visits each.
// It returns the offset to go on from and the end of what may be read, behind
// the last record of no open transaction. A visitor's error ends the fetch;
// errStop does so without being an error.
func (f *fetcher) fetch(ctx context.Context, offset int64, wait time.Duration, visit func(*record) error) (next, end int64, err error) {
	chunk, err := f.partition.Fetch(ctx, offset, wait)
	if err != nil {
		return offset, 0, err
	}
	next = offset
	for r := range chunk.Records() {
		f.current.Record, f.current.Known = r, r.Timestamp
		if err := visit(&f.current); errors.Is(err, errStop) {
			return next, chunk.LastStable, nil
		} else if err != nil {
			return next, chunk.LastStable, fmt.Errorf("read %s at %d: %w", f.name, r.Offset, err)
		}
		next = r.Offset + 1
	}
	return chunk.Next, chunk.LastStable, nil
}

func (f *fetcher) close() error { return f.partition.Close() }
