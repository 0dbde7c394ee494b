package ingesthttp

import (
	"errors"
	"fmt"
	"time"
)

// Config says who may send events over HTTP and how much at once.
type Config struct {
	// TokenFile holds the bearer tokens, one a line; empty lines and lines that
	// begin with # are skipped. Nobody but its owner and, to read it,
	// its group may reach it (mode 0600 or 0440). Several
	// tokens let one be replaced without a gap. Empty, the default, means that
	// the addresses are off. The file is read when the service starts.
	TokenFile string `yaml:"token_file"`
	// MaxBody is the largest body in bytes, both as sent and decompressed.
	// Default 8 MiB.
	MaxBody int `yaml:"max_body_bytes"`
	// MaxEvents is the largest number of events of one request. Default 20,000.
	MaxEvents int `yaml:"max_events"`
	// MaxEvent is the largest event in bytes where ingest's own limit is not
	// less. Default 1,000,000: with its key it fits into Kafka's default
	// max.message.bytes of 1,048,588. It also bounds a batch sent to Kafka.
	MaxEvent int `yaml:"max_event_bytes"`
	// MaxInFlight and MaxInFlightBytes bound the requests, and the bytes of their
	// decompressed bodies (of Arrow, with its decompressed buffers and the parts
	// it is cut to), that are under way at once; what comes above is
	// answered with 429. Defaults 256 and 64 MiB.
	MaxInFlight      int `yaml:"max_in_flight"`
	MaxInFlightBytes int `yaml:"max_in_flight_bytes"`
	// ReadTimeout bounds the reading of a body, and the writing of an answer.
	// Default 30 s.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// ProduceTimeout is how long Kafka may take to acknowledge a request's
	// events. Default 10 s.
	ProduceTimeout time.Duration `yaml:"produce_timeout"`
	// RetryAfter is what 429 and 503 ask for, rounded up to seconds. Default 2 s.
	RetryAfter time.Duration `yaml:"retry_after"`
}

// DefaultConfig returns the defaults: no token, so the addresses are off.
func DefaultConfig() Config {
	return Config{
		MaxBody: 8 << 20, MaxEvents: 20_000, MaxEvent: 1_000_000,
		MaxInFlight: 256, MaxInFlightBytes: 64 << 20,
		ReadTimeout: 30 * time.Second, ProduceTimeout: 10 * time.Second, RetryAfter: 2 * time.Second,
	}
}

// Validate returns every mistake of the configuration, by field. It reads no
// file.
func (c Config) Validate() error {
	var errs []error
	between := func(field string, v, low, high int) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s: %d is not between %d and %d", field, v, low, high))
		}
	}
	between("max_body_bytes", c.MaxBody, 1, 256<<20)
	between("max_events", c.MaxEvents, 1, 1_000_000)
	between("max_event_bytes", c.MaxEvent, 1, 64<<20)
	between("max_in_flight", c.MaxInFlight, 1, 100_000)
	if c.MaxInFlightBytes <= c.MaxBody {
		errs = append(errs, fmt.Errorf("max_in_flight_bytes: %d is not above max_body_bytes, %d: the largest body could never be taken", c.MaxInFlightBytes, c.MaxBody))
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"read_timeout", c.ReadTimeout}, {"produce_timeout", c.ProduceTimeout}, {"retry_after", c.RetryAfter}} {
		if d.value < time.Millisecond || d.value > time.Hour {
			errs = append(errs, fmt.Errorf("%s: %s is not between 1ms and 1h", d.field, d.value))
		}
	}
	return errors.Join(errs...)
}
