package app

import (
	"errors"
	"fmt"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
	"github.com/plumbline-slo/plumbline/rules/promapi"
	"github.com/plumbline-slo/plumbline/storage"
)

// openQueries prepares what runs the queries of people: SQL of SLOs as a user that
// may only read, PromQL over findings.
func (a *App) openQueries() (err error) {
	a.prometheus = promapi.New(promapi.DefaultConfig(), a.db.Conn(), nil, a.log)
	cfg := a.cfg.ClickHouse
	cfg.DSN, cfg.DSNFile, cfg.Shards = "", a.cfg.Rules.QueryDSNFile, nil
	if a.engine != nil && cfg.DSNFile == "" {
		cfg.DSN = a.engine.ReadDSN()
	}
	if cfg.DSN == "" && cfg.DSNFile == "" {
		return a.needsNoQueries()
	}
	if a.reads, err = storage.New(cfg); err != nil {
		return fmt.Errorf("rules.query_dsn_file: %w", err)
	}
	return nil
}

// needsNoQueries returns an error for the first SLO on SQL: it would be missing
// for ever.
func (a *App) needsNoQueries() error {
	for _, slo := range a.slos {
		if slo.SLI.Is(plumbline.SLISQL) {
			return fmt.Errorf("SLO %s counts by SQL: %w", slo.Name, errors.New("name a ClickHouse user that may only read in rules.query_dsn_file"))
		}
	}
	return nil
}

// queries returns what runs the SQL of SLOs, nil if there is no such user.
func (a *App) queries() count.Querier {
	if a.reads == nil {
		return nil
	}
	return a.reads.Conn()
}
