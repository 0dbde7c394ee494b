package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// Versions of the requests. Fetch v11 and all others here are spoken by Kafka
// 2.3 and everything after it, including 4.
const (
	apiVersionsVersion = 0
	metadataVersion    = 4 // the first that can refuse to create topics
	fetchVersion       = 11
)

// conn is one connection to one broker, used by one goroutine at a time.
type conn struct {
	net.Conn
	clientID    string
	correlation int32
	head        [8]byte // of a fetch response: size and correlation id
}

// dial connects and checks what the broker speaks.
func (f *Fetcher) dial(ctx context.Context, address string) (_ *conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.DialTimeout)
	defer cancel()
	raw, err := f.cfg.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err // names the broker
	}
	c := &conn{Conn: raw, clientID: f.cfg.ClientID}
	if err := c.during(ctx, f.cfg.DialTimeout, c.negotiate); err != nil {
		// The connection is given up either way.
		_ = c.Close()
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return c, nil
}

// during runs f with a deadline, and ends it early if ctx is done. After an
// error the connection is of no use.
func (c *conn) during(ctx context.Context, timeout time.Duration, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	// A deadline in the past wakes a read that is under way. That it cannot be
	// set on a closed connection changes nothing.
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	err := f()
	// If ctx ended meanwhile, the connection may have the past deadline.
	if !stop() {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// call sends a request that is not on the hot path and waits for its answer.
func (c *conn) call(version int16, req protocol.Message) (protocol.Message, error) {
	c.correlation++
	if err := protocol.WriteRequest(c, version, c.correlation, c.clientID, req); err != nil {
		return nil, fmt.Errorf("send %s: %w", req.ApiKey(), err)
	}
	id, res, err := protocol.ReadResponse(c, req.ApiKey(), version)
	if err != nil {
		return nil, fmt.Errorf("answer to %s: %w", req.ApiKey(), err)
	}
	if id != c.correlation {
		return nil, fmt.Errorf("answer to %s: request %d was answered as %d", req.ApiKey(), c.correlation, id)
	}
	return res, nil
}

// readFull fills b from the connection.
func (c *conn) readFull(b []byte) error {
	_, err := io.ReadFull(c, b)
	return err
}

func (c *conn) negotiate() error {
	m, err := c.call(apiVersionsVersion, &apiversions.Request{})
	if err != nil {
		return err
	}
	res := m.(*apiversions.Response)
	if res.ErrorCode != 0 {
		return fmt.Errorf("ask for versions: %w", kafka.Error(res.ErrorCode))
	}
	for _, k := range res.ApiKeys {
		if protocol.ApiKey(k.ApiKey) == protocol.Fetch {
			if k.MinVersion > fetchVersion || k.MaxVersion < fetchVersion {
				return fmt.Errorf("broker speaks Fetch v%d to v%d, v%d (Kafka 2.3) is needed: %w", k.MinVersion, k.MaxVersion, fetchVersion, ErrUnsupported)
			}
			return nil
		}
	}
	return fmt.Errorf("broker does not list Fetch: %w", ErrUnsupported)
}

// leader asks the brokers in turn who leads a partition; the first answer
// counts. It does not create the topic.
func (f *Fetcher) leader(ctx context.Context, topic string, partition int) (string, error) {
	var errs []error
	for _, address := range f.cfg.Brokers {
		c, err := f.dial(ctx, address)
		if err == nil {
			var m protocol.Message
			err = c.during(ctx, f.cfg.Timeout, func() (err error) {
				m, err = c.call(metadataVersion, &metadata.Request{TopicNames: []string{topic}})
				return err
			})
			// Whatever was to be read has been read.
			_ = c.Close()
			if err == nil {
				return leaderOf(m.(*metadata.Response), topic, partition)
			}
			err = fmt.Errorf("ask %s for the leader: %w", address, err)
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return "", errors.Join(errs...)
}

func leaderOf(m *metadata.Response, topic string, partition int) (string, error) {
	for _, t := range m.Topics {
		if t.Name != topic {
			continue
		}
		if t.ErrorCode != 0 {
			return "", kafka.Error(t.ErrorCode)
		}
		for _, p := range t.Partitions {
			if int(p.PartitionIndex) != partition {
				continue
			}
			// ReplicaNotAvailable comes with a leader, and only that matters.
			if code := kafka.Error(p.ErrorCode); code != 0 && code != kafka.ReplicaNotAvailable {
				return "", code
			}
			for _, b := range m.Brokers {
				if b.NodeID == p.LeaderID {
					return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), nil
				}
			}
			return "", kafka.LeaderNotAvailable
		}
	}
	return "", kafka.UnknownTopicOrPartition
}
