package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

// As docs/dashboards.md says: the address of the configuration, the reading user, the
// password of its file, HTTP, and the setting that Grafana's plugin sends.
func TestGrafanaReachesTheEmbeddedClickHouse(t *testing.T) {
	if os.Getenv("PLUMBLINE_TEST_CLICKHOUSE") != "" {
		t.Skip("a ClickHouse of one's own has an address of its own")
	}
	listen := reserve(t)
	w := newWorld(t)
	var data string
	w.serve(t, func(c *app.Config) { c.Engine.Listen, data = listen, c.DataDir })
	password, err := os.ReadFile(filepath.Join(data, "clickhouse", "password.readonly"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{listen}, Protocol: clickhouse.HTTP, Settings: clickhouse.Settings{"max_execution_time": 60},
		Auth: clickhouse.Auth{Database: "plumbline", Username: "analyst", Password: strings.TrimSpace(string(password))},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := withPatience(t)
	defer cancel()
	var models uint64
	if err := conn.QueryRow(ctx, "SELECT uniqExact(model) FROM findings").Scan(&models); err != nil {
		t.Errorf("Grafana cannot read: %v", err)
	}
	if err := conn.Exec(ctx, "TRUNCATE TABLE findings"); err == nil {
		t.Error("Grafana may write")
	}
}
