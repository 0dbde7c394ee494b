package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Config says where the brokers are, how to speak to them, and how much memory
// a partition may take.
type Config struct {
	// Brokers are addresses, host:port, of which one that answers suffices.
	Brokers []string
	// ClientID names this client in the broker's logs and quotas.
	ClientID string
	// Dial opens a connection on which the broker answers, encrypted and
	// authenticated where it wants that (package dial). Default net.Dialer's
	// DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// DialTimeout bounds connecting, and the first exchange. Default 5 s.
	DialTimeout time.Duration
	// Timeout is how long a broker may take beyond the wait it was asked for.
	// Default 20 s.
	Timeout time.Duration
	// MaxBytes is how much a broker is asked for at a time, in bytes on the
	// wire. It sends one whole batch even if that is larger. Default 4 MiB.
	MaxBytes int
	// MaxBatchBytes is the largest record batch that is accepted, in bytes both
	// as sent and decompressed. Default 64 MiB.
	MaxBatchBytes int
}

// DefaultConfig returns the defaults without brokers.
func DefaultConfig() Config {
	return Config{
		ClientID:      "plumbline",
		Dial:          (&net.Dialer{}).DialContext,
		DialTimeout:   5 * time.Second,
		Timeout:       20 * time.Second,
		MaxBytes:      4 << 20,
		MaxBatchBytes: 64 << 20,
	}
}

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("brokers: empty; name at least one host:port"))
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			errs = append(errs, fmt.Errorf("brokers: %w", err))
		}
	}
	if c.Dial == nil {
		errs = append(errs, errors.New("dial: not set"))
	}
	if c.DialTimeout <= 0 {
		errs = append(errs, fmt.Errorf("dial_timeout: %s is not positive", c.DialTimeout))
	}
	if c.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %s is not positive", c.Timeout))
	}
	if c.MaxBytes < 1<<10 || c.MaxBytes > 1<<29 {
		errs = append(errs, fmt.Errorf("max_bytes: %d is not between 1 KiB and 512 MiB", c.MaxBytes))
	}
	if c.MaxBatchBytes < 1<<10 || c.MaxBatchBytes > 1<<30 {
		errs = append(errs, fmt.Errorf("max_batch_bytes: %d is not between 1 KiB and 1 GiB", c.MaxBatchBytes))
	}
	return errors.Join(errs...)
}

// Fetcher makes partitions that share a configuration and buffers. It is safe
// for concurrent use, holds no connection and runs nothing in the background.
type Fetcher struct {
	cfg       Config
	codecs    *codecs
	responses pages
	arenas    pages
}

// New returns a Fetcher that connects to nothing yet.
func New(cfg Config) (*Fetcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxMemory(uint64(cfg.MaxBatchBytes)), zstd.WithDecoderMaxWindow(uint64(max(cfg.MaxBatchBytes, zstd.MinWindowSize))))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	return &Fetcher{cfg: cfg, codecs: &codecs{limit: cfg.MaxBatchBytes, zstd: z}}, nil
}
