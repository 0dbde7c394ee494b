package testenv

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/storage"
)

// KeepAll is a Setup.Storage of tests whose clocks stand where they like: nothing of
// theirs expires.
func KeepAll(c *storage.Config) {
	const decades = 20 * 365 * 24 * time.Hour
	c.Retention = storage.Retention{Raw: decades, Minutes: decades, Hours: decades}
}

// Insert stores rows in a table, each by the names of its columns; one that a row
// leaves out has its default. Rows that are there already are stored again: without
// a token of its own, a block that comes twice would be taken for a retry.
func Insert(tb testing.TB, db *storage.DB, table string, rows []map[string]any) {
	tb.Helper()
	if len(rows) == 0 {
		return
	}
	var body bytes.Buffer
	out := json.NewEncoder(&body)
	for _, r := range rows {
		if err := out.Encode(r); err != nil {
			tb.Fatal(err)
		}
	}
	again := clickhouse.Context(tb.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": suffix(tb)}))
	if err := db.Conn().InsertFormat(again, "JSONEachRow", "INSERT INTO "+table, &body); err != nil {
		tb.Fatal(err)
	}
}
