package storage_test

import (
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/testenv"
)

// A database of a version that declared no index gets it.
func TestMigrateAddsIndices(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	for _, alter := range []string{"ALTER TABLE batches DROP INDEX stored_range SETTINGS mutations_sync = 2", "ALTER TABLE predictions DROP INDEX known_range SETTINGS mutations_sync = 2"} {
		if err := env.DB.Conn().Exec(t.Context(), alter); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time changes nothing
		if err := env.DB.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]uint64{
		"SELECT count() FROM system.data_skipping_indices WHERE database = currentDatabase() AND table = 'batches' AND name = 'stored_range'":    1,
		"SELECT count() FROM system.data_skipping_indices WHERE database = currentDatabase() AND table = 'predictions' AND name = 'known_range'": 1,
		"SELECT count() FROM system.mutations WHERE database = currentDatabase() AND command LIKE '%MATERIALIZE INDEX%'":                         2,
	} {
		var n uint64
		if err := env.DB.Conn().QueryRow(t.Context(), query).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", query, n, err, want)
		}
	}
}

// Rows of a table that is sorted otherwise merge otherwise: it is not written to.
func TestMigrateRefusesAnotherOrder(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	for _, query := range []string{"RENAME TABLE join_cursor TO aside", "CREATE TABLE join_cursor (topic LowCardinality(String), done Int64) ENGINE = ReplacingMergeTree(done) ORDER BY topic"} {
		if err := env.DB.Conn().Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.DB.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "join_cursor is sorted by") {
		t.Errorf("migrate: %v, want an error that names the table", err)
	}
}
