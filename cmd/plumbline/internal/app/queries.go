package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
	"github.com/plumbline-slo/plumbline/rules/promapi"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
)

// openQueries prepares what runs the queries of people: SQL of SLOs as a user that
// may only read, PromQL over findings.
func (a *App) openQueries() (err error) {
	a.prometheus = promapi.New(promapi.DefaultConfig(), a.db.Conn(), nil, a.log)
	embedded := ""
	if a.engine != nil {
		embedded = a.engine.ReadDSN()
	}
	a.reads, err = a.cfg.asReader(embedded)
	return errors.Join(err, a.cfg.needsReader(a.slos))
}

// asReader connects as the user that may only read: the configured one, or that
// of the embedded ClickHouse, whose address is given. It is nil without either.
func (c Config) asReader(embedded string) (*storage.DB, error) {
	cfg := c.ClickHouse
	cfg.DSN, cfg.DSNFile, cfg.Shards = embedded, "", nil
	if file := c.Rules.QueryDSNFile; file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("rules.query_dsn_file: %w", err)
		}
		// Checked here, by its own name: storage would call it clickhouse.dsn.
		if err := storage.CheckAddress("rules.query_dsn_file", string(text)); err != nil {
			return nil, err
		}
		cfg.DSN = strings.TrimSpace(string(text))
	}
	if cfg.DSN == "" {
		return nil, nil
	}
	return storage.New(cfg)
}

// OpenReader connects as the user that may only read to the ClickHouse of a
// configuration, for commands: the configured user, or that of the embedded engine
// that a running service holds. It is nil where there is none. The caller closes it.
func (c Config) OpenReader() (*storage.DB, error) {
	if !c.ClickHouse.Embedded() || c.Rules.QueryDSNFile != "" {
		return c.asReader("")
	}
	dsn, err := engine.DiscoverReader(filepath.Join(c.DataDir, "clickhouse"))
	if err != nil {
		return nil, err
	}
	return c.asReader(dsn)
}

// needsReader returns an error for every SLO on SQL where there is no user to run it:
// it would be missing for ever.
func (c Config) needsReader(slos []plumbline.SLO) error {
	if c.ClickHouse.Embedded() || c.Rules.QueryDSNFile != "" {
		return nil
	}
	var errs []error
	for _, slo := range slos {
		if slo.SLI.Is(plumbline.SLISQL) {
			errs = append(errs, fmt.Errorf("rules.query_dsn_file: empty, and SLO %s counts by SQL: name a file with the address of a ClickHouse user that may only read", slo.Name))
		}
	}
	return errors.Join(errs...)
}

// queries returns what runs the SQL of SLOs, nil if there is no such user.
func (a *App) queries() count.Querier {
	if a.reads == nil {
		return nil
	}
	return a.reads.Conn()
}
