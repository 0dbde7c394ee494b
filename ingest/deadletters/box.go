package deadletters

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/ingest/fetch"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// Config says where the dead letters are.
type Config struct {
	// Brokers are Kafka addresses, host:port.
	Brokers []string
	// Topic is the dead-letter topic. Default plumbline.dead-letters.
	Topic string
	// Timeout bounds one request. Default 20 s.
	Timeout time.Duration
	// Dialer connects to them; nil connects without TLS and SASL.
	Dialer *dial.Dialer
	// Keys open sealed letters; none are needed to list them.
	Keys privacy.Keys
}

// DefaultConfig returns the defaults without brokers.
func DefaultConfig() Config {
	return Config{Topic: "plumbline.dead-letters", Timeout: 20 * time.Second}
}

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("brokers: empty; name a Kafka address, host:port"))
	}
	if c.Topic == "" {
		errs = append(errs, errors.New("topic: empty; name the dead-letter topic"))
	}
	if c.Timeout < time.Second {
		errs = append(errs, fmt.Errorf("timeout: %s is under 1s", c.Timeout))
	}
	return errors.Join(errs...)
}

// Box is a dead-letter topic. It serves one goroutine.
type Box struct {
	topic  string
	keys   privacy.Keys
	client *kafka.Client
	own    *kafka.Transport // of the client
	// readers have a connection each, as soon as they are used.
	fetches *fetch.Fetcher
	readers map[place]*fetch.Partition
}

// New returns a Box that has not connected. Close ends its connections.
func New(cfg Config) (*Box, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	reading := fetch.DefaultConfig()
	reading.Brokers, reading.ClientID, reading.Dial, reading.Timeout = cfg.Brokers, "plumbline-dlq", cfg.Dialer.DialContext, cfg.Timeout
	fetches, err := fetch.New(reading)
	if err != nil {
		return nil, err
	}
	b := &Box{topic: cfg.Topic, keys: cfg.Keys, own: cfg.Dialer.Transport("plumbline-dlq"), fetches: fetches, readers: map[place]*fetch.Partition{}}
	b.client = &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Timeout: cfg.Timeout, Transport: b.own}
	return b, nil
}

// Close ends the connections.
func (b *Box) Close() {
	b.own.CloseIdleConnections()
	for _, r := range b.readers {
		_ = r.Close() // a connection that cannot be closed is closed
	}
}

// Each visits the letters that match, partition by partition in the order of
// their offsets, up to the ends that the partitions have when it reaches them.
func (b *Box) Each(ctx context.Context, f Filter, visit func(Letter) error) error {
	partitions, err := b.partitions(ctx, b.topic)
	if err != nil {
		return err
	}
	first, end := int64(0), int64(math.MaxInt64)
	if f.Offsets != nil {
		partitions = []int{f.Offsets.Partition}
		first = f.Offsets.First
		if f.Offsets.Last < end {
			end = f.Offsets.Last + 1
		}
	}
	for _, p := range partitions {
		err := b.scan(ctx, b.topic, p, first, end, func(rec record) error {
			if l := b.letter(p, rec); f.match(l) {
				return visit(l)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Box) letter(partition int, rec record) Letter {
	l := Letter{
		At:   Position{b.topic, partition, rec.Offset},
		Time: rec.Time, Key: rec.Key, Value: rec.Value, Headers: rec.Headers,
	}
	l.read()
	return l
}

// Newest returns the newest letters that match, the oldest of them first, and
// how many matched in all. Memory is bounded by limit, which is at least 1; of
// several partitions, the last ones' letters count as the newest.
func (b *Box) Newest(ctx context.Context, f Filter, limit int) (newest []Letter, matched int, err error) {
	err = b.Each(ctx, f, func(l Letter) error {
		if matched++; len(newest) == limit {
			newest = append(newest[:0], newest[1:]...)
		}
		newest = append(newest, l)
		return nil
	})
	return newest, matched, err
}

// Open opens a sealed letter with the box's keys.
func (b *Box) Open(l *Letter) error { return l.Open(b.keys) }

// Get returns one letter. That there is none is an error.
func (b *Box) Get(ctx context.Context, partition int, offset int64) (Letter, error) {
	rec, ok, err := b.at(ctx, Position{b.topic, partition, offset})
	if err != nil {
		return Letter{}, err
	}
	if !ok {
		first, end, err := b.bounds(ctx, b.topic, partition)
		if err != nil {
			return Letter{}, err
		}
		return Letter{}, fmt.Errorf("%s/%d has no letter at %d; it holds %d up to %d, that one left out", b.topic, partition, offset, first, end)
	}
	return b.letter(partition, rec), nil
}
