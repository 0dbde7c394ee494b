package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/segmentio/kafka-go"
)

var errNoKafka = errors.New("this is not Kafka")

// Error is a connection that did not come about.
type Error struct {
	// Broker is the address that was dialled.
	Broker string
	// Check is where to look for the cause.
	Check string
	// Refused says that trying again will not help until somebody changes the
	// configuration, a file, or the broker.
	Refused bool
	Err     error
}

func (e *Error) Error() string {
	return fmt.Sprintf("connect to Kafka at %s: %v; %s", e.Broker, e.Err, e.Check)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refused reports whether an error is a connection that was refused for a cause
// that no retry mends.
func Refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Refused
}

// Away reports whether an error is a connection that did not come about for a cause
// that may pass by itself, as with a broker that starts. A host that no name server
// knows is taken for a mistake.
func Away(err error) bool {
	var e *Error
	var unknown *net.DNSError
	return errors.As(err, &e) && !e.Refused && !(errors.As(e.Err, &unknown) && unknown.IsNotFound)
}

// lost reports whether a connection ended or took too long: the broker may be
// starting, and may be another tomorrow.
func lost(err error) bool {
	var network net.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &network) && network.Timeout()
}

// alerted reports whether the broker ended TLS with an alert, which is how it
// refuses a client's certificate.
func alerted(err error) bool {
	var alert tls.AlertError
	var operation *net.OpError
	return errors.As(err, &alert) || errors.As(err, &operation) && operation.Op == "remote error"
}

const (
	checkListener = "the connection ended or stayed silent: the broker is starting, or its listener is of another kind (PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL) than kafka.tls and kafka.sasl say"
	checkClient   = "the broker refused the client's certificate: check kafka.tls.cert_file and key_file, and that the broker trusts their authority"
)

func (c Config) refusedTLS(broker string, err error) *Error {
	e := &Error{Broker: broker, Err: fmt.Errorf("TLS: %w", err), Refused: !lost(err)}
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &record):
		e.Check = "the broker answers without TLS: name a listener with TLS (SSL, SASL_SSL) in kafka.brokers, or set kafka.tls.enabled to false"
	case errors.As(err, &authority):
		e.Check = "check kafka.tls.ca_file: it must hold the authority that signed the broker's certificate"
		if c.TLS.CAFile == "" {
			e.Check = "the system does not trust the authority that signed the broker's certificate: name it in kafka.tls.ca_file"
		}
	case errors.As(err, &name):
		e.Check = "check kafka.brokers, what the brokers advertise, and kafka.tls.server_name: the broker's certificate has other names"
	case errors.As(err, &invalid):
		e.Check = "the broker's certificate is not valid now: renew it, and check this machine's clock"
	case alerted(err):
		e.Check = checkClient
	case lost(err):
		e.Check = checkListener
	default:
		e.Check = "check kafka.tls and the broker's listener"
	}
	return e
}

func refusedGreeting(broker string, err error) *Error {
	e := &Error{Broker: broker, Err: err, Refused: !lost(err), Check: checkListener}
	switch {
	case alerted(err):
		e.Check = checkClient
	case errors.Is(err, errNoKafka):
		e.Check = "check the address in kafka.brokers; if it is a listener with TLS, set kafka.tls.enabled"
	}
	return e
}

func (c Config) refusedSASL(broker string, err error) *Error {
	e := &Error{Broker: broker, Err: fmt.Errorf("SASL %s: %w", c.SASL.Mechanism, err), Refused: !lost(err)}
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		e.Check = fmt.Sprintf("check that the broker knows kafka.sasl.username %q for %s, and kafka.sasl.password_file", c.SASL.Username, c.SASL.Mechanism)
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		e.Check = "check kafka.sasl.mechanism"
	case errors.Is(err, kafka.IllegalSASLState):
		e.Check = "the broker's listener has no SASL: name one that has, or remove kafka.sasl"
	case alerted(err):
		e.Check = checkClient
	case errors.Is(err, errNoKafka):
		e.Check = "check the address in kafka.brokers; if it is a listener with TLS, set kafka.tls.enabled"
	default:
		e.Check = checkListener
	}
	return e
}
