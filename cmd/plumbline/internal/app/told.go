package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// told is what a running service tells in its data directory, for commands that are
// given nothing else.
type told struct {
	// Brokers are its Kafka: nobody chose the port of an embedded one as the demo's.
	Brokers []string      `yaml:"brokers"`
	Topics  ingest.Topics `yaml:"topics"`
	// Secured says that Kafka wants TLS or SASL, which stand in the configuration
	// alone.
	Secured bool `yaml:"secured"`
	// Models are as declared. Without them a command would take the labels of a model
	// that decides itself who gets one for those of all.
	Models []DeclaredModel `yaml:"models"`
	// ScoreKinds say how the rollups count scores.
	ScoreKinds map[plumbline.Model]ingest.ScoreKind `yaml:"score_kinds"`
}

// toldFile is its name in the data directory.
const toldFile = "service.yml"

// tell writes what the service is, until it ends. Of two on one directory it is the
// one that has the engine there.
func (a *App) tell(parts *stack) error {
	path := filepath.Join(a.cfg.DataDir, toldFile)
	text, err := yaml.Marshal(told{
		Brokers: a.brokers, Topics: a.cfg.Ingest.Topics, Secured: a.cfg.Kafka.Config != dial.DefaultConfig(), Models: a.cfg.Models,
		ScoreKinds: a.cfg.Ingest.ScoreKinds,
	})
	if err != nil {
		return fmt.Errorf("tell commands of the service: %w", err)
	}
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("tell commands of the service: %w", err)
	}
	text = append([]byte("# Written by the service that runs on this directory, for commands with --data-dir.\n"), text...)
	if err := errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)); err != nil {
		return fmt.Errorf("tell commands of the service: %w", err)
	}
	parts.start("told", func(ctx context.Context) error {
		<-ctx.Done()
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return nil
}

func readTold(dir string) (t told, err error) {
	path := filepath.Join(dir, toldFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return t, err
	}
	if err := yaml.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// OfDataDir is the configuration of the service of a data directory, as far as it
// tells: its declared models. Where nothing is told, nothing runs.
func OfDataDir(dir string) (Config, error) {
	cfg := DefaultConfig()
	cfg.DataDir = dir
	t, err := readTold(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	}
	if err != nil {
		return cfg, fmt.Errorf("what the service tells: %w", err)
	}
	cfg.Models, cfg.Ingest.ScoreKinds = t.Models, t.ScoreKinds
	cfg.declareSegments()
	return cfg, nil
}

// FindKafka sets the Kafka and the topics to those that the service of the data
// directory reads.
func (c *Config) FindKafka() error {
	t, err := readTold(c.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no service runs on %s: %w; start it with plumbline serve, or name the Kafka with --kafka.brokers", c.DataDir, err)
	}
	if err != nil {
		return fmt.Errorf("find Kafka: %w", err)
	}
	if t.Secured {
		return fmt.Errorf("the service on %s reads a Kafka with TLS or SASL: name its configuration with --config.file", c.DataDir)
	}
	c.Kafka.Brokers, c.Ingest.Topics = t.Brokers, t.Topics
	return nil
}
