package web_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/dashboards/internal/seed"
	"github.com/plumbline-slo/plumbline/docs"
	"github.com/plumbline-slo/plumbline/testenv"
)

// TestTheSQLOfRunbooksRuns runs every statement that a runbook gives: whoever is
// on call pastes it and must not have to mend it.
func TestTheSQLOfRunbooksRuns(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := seed.Fill(t.Context(), env.DB.Conn(), time.Now()); err != nil {
		t.Fatal(err)
	}
	paths, err := fs.Glob(docs.Runbooks(), "*.md")
	if err != nil || len(paths) == 0 {
		t.Fatalf("runbooks: %v, %v", paths, err)
	}
	ran := 0
	for _, path := range paths {
		text, err := fs.ReadFile(docs.Runbooks(), path)
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range sqlBlocks(string(text)) {
			rows := countRows(t, env, sql)
			// The seed has neither raw rows nor outcomes of single predictions.
			if rows == 0 && (strings.Contains(sql, "FROM findings") || strings.Contains(sql, "FROM outcome_cells")) {
				t.Errorf("%s: no rows of\n%s", path, sql)
			}
			ran++
		}
	}
	if ran == 0 {
		t.Error("no runbook holds SQL")
	}
}

func sqlBlocks(text string) []string {
	var blocks []string
	for _, part := range strings.Split(text, "```sql\n")[1:] {
		sql, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, sql)
	}
	return blocks
}

func countRows(t *testing.T, env *testenv.Env, sql string) (n int) {
	t.Helper()
	rows, err := env.DB.Conn().Query(t.Context(), sql, clickhouse.Named("model", seed.Model), clickhouse.Named("deploy", seed.DeployNew))
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	defer rows.Close()
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
