package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

// Timeout bounds connecting, TLS and SASL together.
const Timeout = 5 * time.Second

// Dialer opens connections as one configuration says. It is safe for concurrent
// use, holds no connection and no secret. A nil Dialer opens plain connections.
type Dialer struct{ cfg Config }

// New returns a Dialer that has read every file of the configuration once, to
// find what is wrong with them now.
func New(cfg Config) (*Dialer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if _, _, err := cfg.load(); err != nil {
		return nil, err
	}
	return &Dialer{cfg}, nil
}

// Transport returns a transport of kafka-go that connects with d.
func (d *Dialer) Transport(clientID string) *kafka.Transport {
	return &kafka.Transport{Dial: d.DialContext, DialTimeout: Timeout, ClientID: clientID, MetadataTTL: 5 * time.Second}
}

// Kafka returns a dialer of kafka-go, for consumer groups, that connects with d.
func (d *Dialer) Kafka(clientID string) *kafka.Dialer {
	return &kafka.Dialer{DialFunc: d.DialContext, Timeout: Timeout, ClientID: clientID}
}

// DialContext returns a connection on which the broker at address, host:port,
// answers requests. The error has an *Error in its
// chain, unless ctx is done.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d == nil {
		return (&net.Dialer{Timeout: Timeout}).DialContext(ctx, network, address)
	}
	encrypt, mechanism, err := d.cfg.load()
	if err != nil {
		return nil, &Error{Broker: address, Check: "that file is read for every connection", Refused: true, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, &Error{Broker: address, Check: "check kafka.brokers and what the brokers advertise", Err: err}
	}
	// A deadline in the past wakes a read that is under way. That it cannot be
	// set on a closed connection changes nothing.
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	conn, err := d.open(ctx, raw, address, encrypt, mechanism)
	switch ended := !stop(); {
	case ended && err == nil:
		err = ctx.Err()
	case ended && !errors.Is(err, ctx.Err()):
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	if err != nil {
		// The connection is given up either way.
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

// open encrypts and authenticates. Without SASL it asks for something, because
// a broker that wants TLS, SASL or a client's certificate says so only then.
func (d *Dialer) open(ctx context.Context, conn net.Conn, address string, encrypt *tls.Config, mechanism sasl.Mechanism) (net.Conn, error) {
	host, port, err := split(address)
	if err != nil {
		return nil, &Error{Broker: address, Check: "write kafka.brokers as host:port", Err: err}
	}
	if encrypt != nil {
		if encrypt.ServerName == "" {
			encrypt.ServerName = host
		}
		secured := tls.Client(conn, encrypt)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, d.cfg.refusedTLS(address, err)
		}
		conn = secured
	}
	s := session{conn: conn}
	if mechanism == nil {
		if err := s.greet(); err != nil {
			return nil, refusedGreeting(address, err)
		}
		return conn, nil
	}
	ctx = sasl.WithMetadata(ctx, &sasl.Metadata{Host: host, Port: port})
	if err := s.authenticate(ctx, mechanism); err != nil {
		return nil, d.cfg.refusedSASL(address, err)
	}
	return conn, nil
}

func split(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}
