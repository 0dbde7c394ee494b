package storage

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	plumbline "github.com/plumbline-slo/plumbline"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestDDLGolden(t *testing.T) {
	for name, cfg := range map[string]Config{
		"single":  DefaultConfig(),
		"cluster": withCluster(DefaultConfig()),
	} {
		var b strings.Builder
		for _, table := range plumbline.Tables() {
			b.WriteString(cfg.createTable(table) + ";\n\n")
			if cfg.Cluster != "" {
				b.WriteString(cfg.createDistributed(table) + ";\n\n")
			}
		}
		golden := filepath.Join("testdata", name+".sql")
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs from the generated DDL; run go test ./storage -update and read the diff", golden)
		}
	}
}

func withCluster(c Config) Config {
	c.Cluster = "analytics"
	return c
}

func TestEveryColumnHasAnArrowType(t *testing.T) {
	for _, table := range plumbline.Tables() {
		schema, err := arrowSchema(table)
		if err != nil {
			t.Error(err)
			continue
		}
		if schema.NumFields() != len(table.Columns) {
			t.Errorf("%s: %d Arrow fields for %d columns", table.Name, schema.NumFields(), len(table.Columns))
		}
	}
}

func TestUnknownTypeHasNoArrowType(t *testing.T) {
	if typ, err := arrowType("IPv6"); err == nil {
		t.Fatalf("IPv6 maps to %v, want an error", typ)
	}
	if typ, _ := arrowType(plumbline.TypeFixedSum); !arrow.TypeEqual(typ, &arrow.FixedSizeBinaryType{ByteWidth: 16}) {
		t.Fatalf("Int128 maps to %v", typ)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	tests := []struct {
		field string
		edit  func(*Config)
	}{
		{"clickhouse.database", func(c *Config) { c.Database = "a`; DROP" }},
		{"clickhouse.cluster", func(c *Config) { c.Cluster = "a b" }},
		{"clickhouse.cluster: the embedded ClickHouse is in none", func(c *Config) { c.Cluster = "analytics" }},
		{"dsn and dsn_file", func(c *Config) { c.DSN, c.DSNFile = "http://a", "b" }},
		{"clickhouse.dedup_window", func(c *Config) { c.DedupWindow = -1 }},
		{"clickhouse.max_connections", func(c *Config) { c.MaxConnections = 0 }},
		{"clickhouse.retention.raw", func(c *Config) { c.Retention.Raw = time.Hour }},
		{"clickhouse.retention.hours: 876000h0m0s is more than 438000h", func(c *Config) { c.Retention.Hours = 100 * 365 * day }},
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatalf("the default is invalid: %v", err)
	}
	for _, tt := range tests {
		cfg := DefaultConfig()
		tt.edit(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("error %v does not name %s", err, tt.field)
		}
	}
}

func TestQuoteIdentifier(t *testing.T) {
	if got, want := quoteIdentifier("a`b\\c"), "`a\\`b\\\\c`"; got != want {
		t.Fatalf("quoted %s, want %s", got, want)
	}
}
