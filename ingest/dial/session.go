package dial

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"
)

// Versions of the requests, spoken by Kafka 1.0 and everything after it,
// including 4.
const (
	handshakeVersion    = 1 // SASL bytes travel in SaslAuthenticate requests
	authenticateVersion = 0
	metadataVersion     = 4
)

// maxAnswer bounds an answer in bytes: none here lists topics.
const maxAnswer = 4 << 20

// session is the first exchange on a connection. The peer may be no Kafka at
// all, so its answers are read here: kafka-go's decoder allocates what a length
// claims, and a wrong one ends the process.
type session struct {
	conn        net.Conn
	correlation int32
}

// call sends a request and returns the body of its answer.
func (s *session) call(version int16, req protocol.Message) (answer, error) {
	s.correlation++
	if err := protocol.WriteRequest(s.conn, version, s.correlation, "plumbline", req); err != nil {
		return answer{}, fmt.Errorf("send %s: %w", req.ApiKey(), err)
	}
	var head [8]byte
	if _, err := io.ReadFull(s.conn, head[:]); err != nil {
		return answer{}, fmt.Errorf("answer to %s: %w", req.ApiKey(), err)
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < 4 || size > maxAnswer || int32(binary.BigEndian.Uint32(head[4:])) != s.correlation {
		return answer{}, fmt.Errorf("answer to %s: %w: it begins with %q", req.ApiKey(), errNoKafka, head[:])
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(s.conn, body); err != nil {
		return answer{}, fmt.Errorf("answer to %s: %w", req.ApiKey(), err)
	}
	return answer{rest: body}, nil
}

// answer is what is left to read of an answer. Once it was too short, all that
// is read is zero.
type answer struct {
	rest  []byte
	short bool
}

func (a *answer) take(n int) []byte {
	if n < 0 || n > len(a.rest) {
		a.short, a.rest, n = true, nil, 0
	}
	taken := a.rest[:n]
	a.rest = a.rest[n:]
	return taken
}

func (a *answer) int16() int16 {
	if b := a.take(2); len(b) == 2 {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (a *answer) int32() int32 {
	if b := a.take(4); len(b) == 4 {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// text reads a string; null is empty.
func (a *answer) text() string { return string(a.take(max(0, int(a.int16())))) }

// bytes reads bytes; null is empty.
func (a *answer) bytes() []byte { return a.take(max(0, int(a.int32()))) }

// greet asks for the brokers of the cluster, and no topic. That there is an
// answer suffices.
func (s *session) greet() error {
	_, err := s.call(metadataVersion, &metadata.Request{TopicNames: []string{}})
	return err
}

func (s *session) authenticate(ctx context.Context, mechanism sasl.Mechanism) error {
	a, err := s.call(handshakeVersion, &saslhandshake.Request{Mechanism: mechanism.Name()})
	if err != nil {
		return err
	}
	code := kafka.Error(a.int16())
	if a.short {
		return fmt.Errorf("answer to %s: %w: it is cut short", protocol.SaslHandshake, errNoKafka)
	}
	if code != 0 {
		var offered []string
		for range min(a.int32(), 100) {
			offered = append(offered, a.text())
		}
		return fmt.Errorf("%w; the broker offers %q", code, offered)
	}
	exchange, state, err := mechanism.Start(ctx)
	if err != nil {
		return err
	}
	for done := false; !done; {
		challenge, err := s.step(state)
		if err != nil {
			return err
		}
		if done, state, err = exchange.Next(ctx, challenge); err != nil {
			return fmt.Errorf("%w: %w", kafka.SASLAuthenticationFailed, err)
		}
	}
	return nil
}

// step sends the client's next bytes and returns the broker's.
func (s *session) step(state []byte) ([]byte, error) {
	a, err := s.call(authenticateVersion, &saslauthenticate.Request{AuthBytes: state})
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// Some brokers say no in this way.
		return nil, fmt.Errorf("%w: the broker closed the connection", kafka.SASLAuthenticationFailed)
	}
	if err != nil {
		return nil, err
	}
	code, text, challenge := kafka.Error(a.int16()), a.text(), a.bytes()
	switch {
	case code != 0:
		return nil, fmt.Errorf("%w: %s", code, text)
	case a.short:
		return nil, fmt.Errorf("answer to %s: %w: it is cut short", protocol.SaslAuthenticate, errNoKafka)
	}
	return challenge, nil
}
