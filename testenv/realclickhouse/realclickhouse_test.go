package realclickhouse_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/realclickhouse"
)

func TestMain(m *testing.M) {
	testenv.QuickEnds()
	realclickhouse.RunServerIfRequested()
	os.Exit(m.Run())
}

// start returns two servers that are asked by their number.
func start(t *testing.T, spread bool) (ask func(server int, statement string) string) {
	t.Helper()
	if _, err := engine.FindLibrary("", ""); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cfg := realclickhouse.DefaultConfig()
	cfg.Servers, cfg.Spread = 2, spread
	servers, err := realclickhouse.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(server int, statement string) string {
		t.Helper()
		address, err := url.Parse(servers.DSNs()[server])
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address.String(), strings.NewReader(statement))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
}

const (
	rows = "CREATE TABLE IF NOT EXISTS `default`.`rows_local` ON CLUSTER `plumbline_test` (`prediction_id` String, n Int64)\nENGINE = ReplicatedMergeTree()\nORDER BY n\nSETTINGS replicated_deduplication_window = 7"
	all  = "CREATE TABLE IF NOT EXISTS `default`.`rows` ON CLUSTER `plumbline_test` AS `default`.`rows_local`\nENGINE = Distributed(`plumbline_test`, `default`, `rows_local`)"
)

// touched asks as the join does, with a subquery in a subquery.
func touched(in string) string {
	return "WITH touched AS (SELECT n FROM rows WHERE n > 5 UNION ALL SELECT n FROM rows WHERE n " + in + " (SELECT n FROM rows WHERE n < 4)) " +
		"SELECT count() FROM rows WHERE n " + in + " (SELECT n FROM touched) SETTINGS distributed_product_mode = 'global'"
}

// Servers are ClickHouse's own shards, with tables as storage declares them, and the
// Distributed tables take no rows, as in production.
func TestShards(t *testing.T) {
	ask := start(t, false)
	for server, statements := range [][]string{
		{rows, all, "SYSTEM SYNC REPLICA rows_local LIGHTWEIGHT", "INSERT INTO rows_local SELECT toString(number), number FROM numbers(5)"},
		{"INSERT INTO rows_local SELECT toString(number), number FROM numbers(3, 7)"},
	} {
		for _, s := range statements {
			if got := ask(server, s); got != "" {
				t.Fatalf("%s: %s", s, got)
			}
		}
	}
	for statement, want := range map[string]string{
		"SELECT count(), sum(n) FROM rows": "12\t52",
		// What decision 0029 is about: the setting alone is not enough.
		touched("GLOBAL IN"):                "9",
		touched("IN"):                       "globalIn",
		"INSERT INTO rows VALUES ('x', 1)":  "no sharding key",
		"SHOW CREATE TABLE rows_local":      "non_replicated_deduplication_window = 7",
		"SELECT n FROM no_table ON CLUSTER": "Code: ",
	} {
		for server := range 2 {
			if got := ask(server, statement); !strings.Contains(got, want) {
				t.Errorf("%s on server %d: %s, want %s", statement, server, got, want)
			}
		}
	}
}

// Tests about reading may write into the Distributed tables, and change them.
func TestSpread(t *testing.T) {
	ask := start(t, true)
	for _, s := range []string{rows, all, "INSERT INTO rows SELECT toString(number), number FROM numbers(1000)", "CREATE TABLE kept AS rows", "INSERT INTO kept SELECT * FROM rows"} {
		if got := ask(0, s); got != "" {
			t.Fatalf("%s: %s", s, got)
		}
	}
	if got := ask(1, "SELECT count(), uniqExact(_shard_num) FROM rows"); got != "1000\t2" {
		t.Errorf("rows and shards: %s", got)
	}
	if got := ask(0, "ALTER TABLE rows DELETE WHERE n >= 10 SETTINGS mutations_sync = 2"); got != "" {
		t.Fatal(got)
	}
	if got := ask(1, "SELECT count() FROM rows"); got != "10" {
		t.Errorf("%s rows are left", got)
	}
	if got := ask(0, "SELECT count() FROM kept"); got != "1000" {
		t.Errorf("of what was kept %s rows are left", got)
	}
}

func TestConfigNamesTheField(t *testing.T) {
	for field, cfg := range map[string]realclickhouse.Config{"servers": {StartTimeout: 1 << 40}, "start_timeout": {Servers: 1}} {
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}

// A cluster's servers break connections to each other off whenever one of them has
// all it wants; without its terminal a server ended itself then.
func TestABrokenConnectionEndsNoServer(t *testing.T) {
	ask := start(t, false)
	port := strings.TrimSpace(ask(0, "SELECT port FROM system.clusters WHERE cluster = '"+realclickhouse.Cluster+"' AND shard_num = 2 FORMAT TSV"))
	native, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(native, "this is not how a native client begins"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, native) // until the server has had enough, however it ends that
	if err := native.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(ask(1, "SELECT 1 FORMAT TSV")); got != "1" {
		t.Errorf("the server answers %q", got)
	}
}
