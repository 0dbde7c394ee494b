package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// kafkaFlags say which Kafka a command speaks to, and how.
type kafkaFlags struct {
	config  *string
	brokers *[]string
}

func newKafkaFlags(clause *kingpin.CmdClause) kafkaFlags {
	return kafkaFlags{
		config:  configFlag(clause),
		brokers: clause.Flag("kafka.brokers", "Address of a Kafka, host:port, instead of the configuration's; may be repeated. TLS, SASL and all else stay as the configuration file says, if there is one.").Strings(),
	}
}

// named reports whether the flags say where the Kafka is.
func (k kafkaFlags) named() bool { return len(*k.brokers) > 0 }

// load reads the configuration file; optional says that there need not be one
// under the usual name.
func (k kafkaFlags) load(optional bool) (app.Config, error) {
	cfg, err := app.Load(*k.config)
	switch {
	case optional && errors.Is(err, os.ErrNotExist) && *k.config == usualConfig:
		cfg = app.DefaultConfig()
	case err != nil && !k.named():
		return cfg, fmt.Errorf("%w; or name the Kafka with --kafka.brokers", err)
	case err != nil:
		return cfg, err
	}
	if k.named() {
		cfg.Kafka.Brokers = *k.brokers
	}
	return cfg, nil
}

// connection returns where the Kafka of a configuration is, and what connects to
// it as the configuration says.
func connection(cfg app.Config) (brokers []string, dialer *dial.Dialer, err error) {
	if len(cfg.Kafka.Brokers) == 0 && cfg.FindKafka() != nil {
		// Nothing runs that tells of it, or it is told why soon.
		cfg.Kafka.Brokers = []string{cfg.Kafka.Embedded.Listen}
	}
	brokers = cfg.Kafka.Brokers
	dialer, err = dial.New(cfg.Kafka.Config)
	return brokers, dialer, err
}
