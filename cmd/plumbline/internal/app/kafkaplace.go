package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// KafkaPlace is what a running service tells, in its data directory, of the Kafka
// that it reads: commands find it without the configuration, and an embedded one
// whose port nobody chose, as the demo's, at all.
type KafkaPlace struct {
	Brokers []string      `json:"brokers"`
	Topics  ingest.Topics `json:"topics"`
	// Secured says that it wants TLS or SASL, which stand in the configuration alone.
	Secured bool `json:"secured"`
}

// placeFile is its name in the data directory.
const placeFile = "kafka.json"

// tellKafka writes the place; take removes it, for an embedded Kafka ends with the
// service.
func (a *App) tellKafka() (take func() error, err error) {
	path := filepath.Join(a.cfg.DataDir, placeFile)
	place := KafkaPlace{Brokers: a.brokers, Topics: a.cfg.Ingest.Topics, Secured: a.cfg.Kafka.Config != dial.DefaultConfig()}
	text, err := json.Marshal(place)
	if err != nil {
		return nil, fmt.Errorf("tell where Kafka is: %w", err)
	}
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("tell where Kafka is: %w", err)
	}
	if err := errors.Join(os.WriteFile(path+".new", append(text, '\n'), 0o600), os.Rename(path+".new", path)); err != nil {
		return nil, fmt.Errorf("tell where Kafka is: %w", err)
	}
	return func() error { return os.Remove(path) }, nil
}

// FindKafka sets the Kafka and the topics to those that the service of a data
// directory reads.
func (c *Config) FindKafka() error {
	path := filepath.Join(c.DataDir, placeFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no service runs on %s: %w; start it with plumbline serve, or name the Kafka with --kafka.brokers", c.DataDir, err)
	}
	if err != nil {
		return fmt.Errorf("find Kafka: %w", err)
	}
	var place KafkaPlace
	if err := json.Unmarshal(text, &place); err != nil {
		return fmt.Errorf("find Kafka: %s: %w", path, err)
	}
	if place.Secured {
		return fmt.Errorf("the service on %s reads a Kafka with TLS or SASL: name its configuration with --config.file", c.DataDir)
	}
	c.Kafka.Brokers, c.Ingest.Topics = place.Brokers, place.Topics
	return nil
}
