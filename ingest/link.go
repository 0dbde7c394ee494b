package ingest

import (
	"context"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// link is a Kafka client that is replaced, with its connections, after an
// error: kafka-go's Transport keeps dead connections and stale metadata after a
// broker has restarted.
type link struct {
	brokers []string
	dialer  *dial.Dialer
	timeout time.Duration

	mu     sync.Mutex
	client *kafka.Client
}

func newLink(cfg Config, timeout time.Duration) *link {
	return &link{brokers: cfg.Brokers, dialer: cfg.Dialer, timeout: timeout}
}

func (l *link) get() *kafka.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil {
		l.client = &kafka.Client{
			Addr: kafka.TCP(l.brokers...), Timeout: l.timeout, Transport: l.dialer.Transport("plumbline"),
		}
	}
	return l.client
}

// renew drops the client that met an error, unless another goroutine has
// replaced it already.
func (l *link) renew(old *kafka.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == old && old != nil {
		old.Transport.(*kafka.Transport).CloseIdleConnections()
		l.client = nil
	}
}

func (l *link) close() { l.renew(l.client) }

// bounds returns the offset of the first record of a partition and the offset
// after its last.
func (l *link) bounds(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	client := l.get()
	r, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
	}})
	if err == nil {
		for _, p := range r.Topics[topic] {
			if p.Partition == partition {
				if p.Error == nil {
					return p.FirstOffset, p.LastOffset, nil
				}
				err = p.Error
			}
		}
	}
	if err == nil {
		err = kafka.UnknownTopicOrPartition
	}
	l.renew(client)
	return 0, 0, fmt.Errorf("list offsets of %s/%d: %w", topic, partition, err)
}

// committed is what the consumer group knows of one partition.
type committed struct {
	Offset   int64 // -1 if there is none
	Metadata string
}

func (l *link) committed(ctx context.Context, group, topic string, partition int) (committed, error) {
	client := l.get()
	r, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {partition}}})
	if err == nil {
		err = r.Error
	}
	if err == nil {
		for _, p := range r.Topics[topic] {
			if p.Partition != partition {
				continue
			}
			if p.Error == nil {
				return committed{p.CommittedOffset, p.Metadata}, nil
			}
			err = p.Error
		}
	}
	if err == nil {
		err = kafka.UnknownTopicOrPartition
	}
	l.renew(client)
	return committed{}, fmt.Errorf("fetch committed offset of %s/%d: %w", topic, partition, err)
}

// member identifies this process in the consumer group: a commit by a former
// owner is refused.
type member struct {
	Group      string
	Generation int
	ID         string
}

func (l *link) commit(ctx context.Context, m member, topic string, partition int, c committed) error {
	client := l.get()
	r, err := client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: m.Group, GenerationID: m.Generation, MemberID: m.ID,
		Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: partition, Offset: c.Offset, Metadata: c.Metadata}}},
	})
	if err == nil {
		for _, p := range r.Topics[topic] {
			if p.Partition == partition {
				if p.Error == nil {
					return nil
				}
				err = p.Error
			}
		}
	}
	if err == nil {
		err = kafka.UnknownTopicOrPartition
	}
	if !fenced(err) {
		l.renew(client)
	}
	return fmt.Errorf("commit offset %d of %s/%d: %w", c.Offset, topic, partition, err)
}

// castagnoli is the polynomial of the fingerprint; the table is never written.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func fingerprintCRC(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}
