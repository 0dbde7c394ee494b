package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/testenv/bench"
)

// job is what a contender is to do: read this many events of a topic as a group
// of its own into a database.
type job struct {
	Brokers  string
	Topic    string
	Format   string
	Group    string
	DSN      string
	Database string
	Events   int
	Schema   string // file with the schema, of formats that need one
	Profile  string // file for a CPU profile; empty makes none
}

// oursRole is Plumbline's Ingester as the service runs it.
func oursRole(ctx context.Context, settings []byte) error {
	var j job
	if err := json.Unmarshal(settings, &j); err != nil {
		return err
	}
	wire, err := wireOf(j.Format)
	if err != nil {
		return err
	}
	db, err := openDB(j.DSN, j.Database)
	if err != nil {
		return err
	}
	cfg := ingest.DefaultConfig()
	cfg.Brokers, cfg.Group, cfg.Partitions = []string{j.Brokers}, j.Group, 1
	cfg.Topics.Predictions = j.Topic
	wire.source.Topic, wire.source.SchemaFile = j.Topic, j.Schema
	if err := wire.source.ReadFiles(); err != nil {
		return err
	}
	cfg.Sources = []decode.Source{wire.source}
	if err := ingest.EnsureTopics(ctx, cfg); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	ingester, err := ingest.New(cfg, ingest.Dependencies{DB: db, Registry: registry})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	stopProfile, err := profile(j.Profile)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- ingester.Run(running) }()
	if err := untilStored(registry, j, done); err != nil {
		cancel()
		return err
	}
	fmt.Println("done")
	err = errors.Join(stopProfile(), bench.WaitForParent())
	cancel()
	return errors.Join(err, <-done, db.Close())
}

// untilStored waits until ingest has committed every event.
func untilStored(registry *prometheus.Registry, j job, done <-chan error) error {
	for {
		stored, dead, err := counted(registry, j.Topic)
		switch {
		case err != nil:
			return err
		case dead > 0:
			return fmt.Errorf("%d events went to the dead letters", dead)
		case stored == j.Events:
			return nil
		}
		select {
		case err := <-done:
			return fmt.Errorf("ingest ended after %d events: %w", stored, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// counted reads what ingest says about itself.
func counted(registry *prometheus.Registry, topic string) (stored, dead int, err error) {
	families, err := registry.Gather()
	if err != nil {
		return 0, 0, err
	}
	for _, f := range families {
		if f.GetName() != "plumbline_ingest_events_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			switch n := int(m.GetCounter().GetValue()); {
			case labels["topic"] != topic:
			case labels["result"] == "stored":
				stored = n
			case labels["result"] == "dead":
				dead = n
			}
		}
	}
	return stored, dead, nil
}

func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}
