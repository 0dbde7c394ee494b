package ingesthttp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// errNotSent marks what stood behind a batch that failed.
var errNotSent = errors.New("not sent, since what goes before it was not acknowledged")

// recordOverhead bounds, in bytes, what a record adds to its key and value.
const recordOverhead = 64

// producer sends records and waits until all replicas have acknowledged them.
// It does not repeat a failed request, since it cannot know whether that was
// stored; the sender decides.
type producer struct {
	brokers []string
	dialer  *dial.Dialer
	timeout time.Duration
	// batch bounds the records of one produce request, in bytes.
	batch int

	mu     sync.Mutex
	client *kafka.Client
}

func (p *producer) get() *kafka.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == nil {
		p.client = &kafka.Client{
			Addr: kafka.TCP(p.brokers...), Timeout: p.timeout, Transport: p.dialer.Transport("plumbline-http"),
		}
	}
	return p.client
}

// renew drops the client that met an error, unless another goroutine has
// replaced it already: kafka-go's Transport keeps dead connections and stale
// metadata after a broker has restarted.
func (p *producer) renew(old *kafka.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == old && old != nil {
		old.Transport.(*kafka.Transport).CloseIdleConnections()
		p.client = nil
	}
}

func (p *producer) close() {
	p.mu.Lock()
	client := p.client
	p.mu.Unlock()
	p.renew(client)
}

// produce sends records to a topic and returns one error for each record, nil
// where it is acknowledged.
func (p *producer) produce(ctx context.Context, topic string, records []record, known time.Time) []error {
	client := p.get()
	partitions, err := partitionsOf(ctx, client, topic)
	if err != nil {
		p.renew(client)
		return slices.Repeat([]error{err}, len(records))
	}
	// What nobody acknowledges stays unacknowledged.
	failed := slices.Repeat([]error{errNotSent}, len(records))
	byPartition := make(map[int][]int)
	balancer := kafka.Murmur2Balancer{Consistent: true}
	for i, r := range records {
		n := balancer.Balance(kafka.Message{Key: r.key}, partitions...)
		byPartition[n] = append(byPartition[n], i)
	}
	var all sync.WaitGroup
	for partition, rows := range byPartition {
		s := sender{client, topic, partition, known, records, failed}
		all.Go(func() { s.sendAll(ctx, rows, p.batch) })
	}
	all.Wait()
	if slices.ContainsFunc(failed, func(err error) bool { return err != nil }) {
		p.renew(client)
	}
	return failed
}

// partitionsOf returns a topic's partitions in order. The client answers from
// memory for as long as its metadata is fresh.
func partitionsOf(ctx context.Context, client *kafka.Client, topic string) ([]int, error) {
	r, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", topic, err)
	}
	for _, t := range r.Topics {
		if t.Name != topic {
			continue
		}
		if t.Error != nil {
			return nil, fmt.Errorf("partitions of %s: %w", topic, t.Error)
		}
		var ids []int
		for _, partition := range t.Partitions {
			ids = append(ids, partition.ID)
		}
		if len(ids) > 0 {
			slices.Sort(ids)
			return ids, nil
		}
	}
	return nil, fmt.Errorf("partitions of %s: %w", topic, kafka.UnknownTopicOrPartition)
}

// sender sends records of one partition. Senders of one request write to
// different elements of failed.
type sender struct {
	client    *kafka.Client
	topic     string
	partition int
	known     time.Time
	records   []record
	failed    []error
}

// sendAll sends rows in order, in batches of at most limit bytes. After an
// error, what follows is not sent, so that order is kept.
func (s sender) sendAll(ctx context.Context, rows []int, limit int) {
	for len(rows) > 0 {
		n, bytes := 0, 0
		for n < len(rows) {
			r := s.records[rows[n]]
			if bytes += len(r.key) + len(r.value) + recordOverhead; n > 0 && bytes > limit {
				break
			}
			n++
		}
		if !s.sendSplit(ctx, rows[:n]) {
			return
		}
		rows = rows[n:]
	}
}

// sendSplit sends a batch, in halves if the topic takes none so large, and
// reports whether more may follow. A single event that is too large for the
// topic fails alone.
func (s sender) sendSplit(ctx context.Context, rows []int) bool {
	err := s.send(ctx, rows)
	tooLarge := errors.Is(err, kafka.MessageSizeTooLarge)
	if tooLarge && len(rows) > 1 {
		half := len(rows) / 2
		return s.sendSplit(ctx, rows[:half]) && s.sendSplit(ctx, rows[half:])
	}
	for _, i := range rows {
		s.failed[i] = err
	}
	return err == nil || tooLarge
}

func (s sender) send(ctx context.Context, rows []int) error {
	batch := make([]kafka.Record, len(rows))
	for i, row := range rows {
		r := s.records[row]
		batch[i] = kafka.Record{Time: s.known, Key: kafka.NewBytes(r.key), Value: kafka.NewBytes(r.value)}
	}
	answer, err := s.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: s.topic, Partition: s.partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(batch...),
	})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		return fmt.Errorf("produce %d records to %s/%d: %w", len(rows), s.topic, s.partition, err)
	}
	return nil
}
