package engine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/storage/engine"
)

// call is one raw HTTP request, as curl would send it.
type call struct {
	method string // POST if empty
	query  url.Values
	header http.Header
	body   string
	user   string // "read" for the read-only user, "none" for nobody
	path   string
	host   string
}

// do sends c to e and returns the answer and its body.
func (c call) do(t *testing.T, e *instance) (*http.Response, string) {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	dsn := e.DSN()
	if c.user == "read" {
		dsn = e.ReadDSN()
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	who := u.User
	u.User, u.Path, u.RawQuery = nil, "/"+c.path, c.query.Encode()
	req, err := http.NewRequestWithContext(t.Context(), c.method, u.String(), strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range c.header {
		req.Header[k] = v
	}
	if c.user != "none" {
		password, _ := who.Password()
		req.SetBasicAuth(who.Username(), password)
	}
	if c.host != "" {
		req.Host = c.host
	}
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func q(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func TestRawHTTP(t *testing.T) {
	e := start(t, nil)
	for _, step := range []struct {
		name   string
		call   call
		status int
		body   string // exact, or a part if it begins with "~"
	}{
		{"ping", call{method: "GET", path: "ping", user: "none"}, 200, "Ok.\n"},
		{"root", call{method: "GET", user: "none"}, 200, "Ok.\n"},
		{"other path", call{method: "GET", path: "play"}, 404, "~not found"},
		{"body", call{body: "SELECT 1, 'a'"}, 200, "1\ta\n"},
		{"query", call{method: "GET", query: q("query", "SELECT 1 FORMAT CSV")}, 200, "1\n"},
		{"default format", call{query: q("default_format", "JSONEachRow"), body: "SELECT 1 AS a"}, 200, `{"a":1}` + "\n"},
		{"format header", call{header: http.Header{"X-Clickhouse-Format": {"CSVWithNames"}}, body: "SELECT 'x' AS a"}, 200, "\"a\"\n\"x\"\n"},
		{"parameter", call{query: q("param_x", "4"), body: "SELECT {x:UInt8} * 2"}, 200, "8\n"},
		{"setting", call{query: q("max_block_size", "77"), body: "SELECT getSetting('max_block_size')"}, 200, "77\n"},
		{"database", call{query: q("database", "system"), body: "SELECT count() FROM one"}, 200, "1\n"},
		{"trailing semicolon", call{body: "SELECT 1 ;\n-- end\n"}, 200, "1\n"},
		{"comment first", call{body: "/* c */ -- d\nSELECT 1"}, 200, "1\n"},
		{"whole answer", call{query: q("wait_end_of_query", "1"), body: "SELECT throwIf(number = 300000, 'late') FROM numbers(400000) FORMAT TSV"}, 500, "~late"},
		{"create", call{body: "CREATE TABLE t (a Int32, s String) ENGINE MergeTree ORDER BY a"}, 200, ""},
		{"insert values", call{body: "INSERT INTO t VALUES (1, 'one\n\nblank line'), (2, 'FORMAT; SELECT')"}, 200, ""},
		{"insert CSV in body", call{body: "INSERT INTO t FORMAT CSV\n3,three\n4,four\n"}, 200, ""},
		{"insert with query parameter", call{query: q("query", "INSERT INTO t (a, s) FORMAT JSONEachRow"), body: `{"a":5,"s":"five"}` + "\n\n" + `{"a":6,"s":"six"}`}, 200, ""},
		{"insert, format in header", call{query: q("query", "INSERT INTO t"), header: http.Header{"X-Clickhouse-Format": {"TSV"}}, body: "7\tseven\n"}, 200, ""},
		{"insert, values split over query and body", call{query: q("query", "INSERT INTO t VALUES"), body: "(8,'eight')"}, 200, ""},
		{"insert with parameter", call{query: q("query", "INSERT INTO {tab:Identifier} FORMAT TSV", "param_tab", "t"), body: "9\tnine\n"}, 200, ""},
		{"asynchronous insert is stored at once", call{query: q("async_insert", "1", "wait_for_async_insert", "0"), body: "INSERT INTO t SETTINGS async_insert = 1, wait_for_async_insert = 0 VALUES (13, 'async')"}, 200, ""},
		{"it is", call{body: "SELECT count() FROM t WHERE a = 13"}, 200, "1\n"},
		{"delete it", call{body: "ALTER TABLE t DELETE WHERE a = 13 SETTINGS mutations_sync = 1"}, 200, ""},
		{"insert select", call{body: "INSERT INTO t SELECT number + 10, 'n' FROM numbers(2)"}, 200, ""},
		{"insert select in parentheses", call{body: "INSERT INTO t (a, s) (SELECT 12, 'p')"}, 200, ""},
		{"rows", call{body: "SELECT groupArray(a) FROM (SELECT a FROM t ORDER BY a)"}, 200, "[1,2,3,4,5,6,7,8,9,10,11,12]\n"},
		{"blank line kept", call{body: "SELECT s FROM t WHERE a IN (1, 2) ORDER BY a FORMAT JSONCompactEachRow"}, 200, `["one\n\nblank line"]` + "\n" + `["FORMAT; SELECT"]` + "\n"},
		{"bad rows", call{body: "INSERT INTO t FORMAT CSV\nnot a number,x\n"}, 400, "~Code: 27"},
		{"missing table", call{body: "INSERT INTO absent FORMAT CSV\n1\n"}, 404, "~UNKNOWN_TABLE"},
		{"syntax", call{body: "SELECT FROM WHERE"}, 400, "~SYNTAX_ERROR"},
		{"empty", call{body: " -- nothing\n"}, 400, "~Empty query"},
		{"GET cannot write", call{method: "GET", query: q("query", "INSERT INTO t VALUES (99, 'x')")}, 500, "~GET implies readonly"},
		{"GET cannot create", call{method: "GET", query: q("query", "CREATE TABLE u (a Int8) ENGINE Memory")}, 500, "~GET implies readonly"},
		{"GET reads with settings", call{method: "GET", query: q("query", "SELECT max(a) FROM t", "max_threads", "1")}, 200, "12\n"},
		{"PUT", call{method: "PUT", body: "SELECT 1"}, 400, "~method"},
		{"format name", call{query: q("default_format", "CSV INTO OUTFILE 'x'"), body: "SELECT 1"}, 404, "~UNKNOWN_FORMAT"},
		{"unknown encoding", call{header: http.Header{"Content-Encoding": {"rot13"}}, body: "x"}, 501, "~rot13"},
		{"json", call{body: "SELECT 1 AS a FORMAT JSONCompact"}, 200, `~"data":`},
		{"with insert", call{body: "SHOW TABLES"}, 200, "t\n"},
		{"rows after a failed query", call{body: "SELECT 1"}, 200, "1\n"},
		{"summary", call{body: "INSERT INTO t SELECT number + 100, '' FROM numbers(5)"}, 200, ""},
	} {
		resp, body := step.call.do(t, e)
		part, isPart := strings.CutPrefix(step.body, "~")
		if resp.StatusCode != step.status || isPart && !strings.Contains(body, part) || !isPart && body != part {
			t.Errorf("%s: status %d body %.300q, want %d %q", step.name, resp.StatusCode, body, step.status, step.body)
		}
		if step.status != 200 && step.status != 404 && resp.Header.Get("X-ClickHouse-Exception-Code") == "" {
			t.Errorf("%s: no exception code", step.name)
		}
		if step.name == "summary" && !strings.Contains(resp.Header.Get("X-ClickHouse-Summary"), `"written_rows":"5"`) {
			t.Errorf("summary: %s", resp.Header.Get("X-ClickHouse-Summary"))
		}
	}
}

func TestHeaders(t *testing.T) {
	e := start(t, nil)
	resp, _ := call{query: q("query_id", "my-id"), body: "SELECT 1 FORMAT JSON"}.do(t, e)
	for name, want := range map[string]string{
		"X-ClickHouse-Query-Id": "my-id", "X-ClickHouse-Format": "JSON", "X-ClickHouse-Timezone": "UTC",
		"Content-Type": "application/json; charset=UTF-8",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if id := func() string { r, _ := call{body: "SELECT 1"}.do(t, e); return r.Header.Get("X-ClickHouse-Query-Id") }(); len(id) != 36 {
		t.Errorf("made query id %q", id)
	}
}

func TestHTTPCompression(t *testing.T) {
	e := start(t, nil)
	gz := http.Header{"Accept-Encoding": {"gzip"}}
	resp, body := call{query: q("enable_http_compression", "1"), header: gz, body: "SELECT number FROM numbers(3)"}.do(t, e)
	if resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("headers %v", resp.Header)
	}
	r, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || string(plain) != "0\n1\n2\n" {
		t.Errorf("got %q, %v", plain, err)
	}
	resp, body = call{header: gz, body: "SELECT 1"}.do(t, e)
	if resp.Header.Get("Content-Encoding") != "" || body != "1\n" {
		t.Errorf("not asked for: %v %q", resp.Header, body)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.WriteString(w, "SELECT 41 + 1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, body = (call{header: http.Header{"Content-Encoding": {"gzip"}}, body: packed.String()}).do(t, e); body != "42\n" {
		t.Errorf("gzip body: %q", body)
	}
}

func TestWhoMayAsk(t *testing.T) {
	e := start(t, nil)
	pw := e.Password()
	for _, tc := range []struct {
		name   string
		call   call
		status int
	}{
		{"nobody", call{user: "none", body: "SELECT 1"}, 401},
		{"headers", call{user: "none", header: http.Header{"X-Clickhouse-User": {"plumbline"}, "X-Clickhouse-Key": {pw}}, body: "SELECT 1"}, 200},
		{"URL", call{user: "none", query: q("user", "plumbline", "password", pw), body: "SELECT 1"}, 200},
		{"wrong password", call{user: "none", query: q("user", "plumbline", "password", "x"), body: "SELECT 1"}, 403},
		{"other user", call{user: "none", query: q("user", "default"), body: "SELECT 1"}, 403},
		{"read password for full user", call{user: "none", query: q("user", "plumbline", "password", ""), body: "SELECT 1"}, 403},
		{"localhost", call{host: "localhost:80", body: "SELECT 1"}, 200},
		{"IPv6 loopback", call{host: "[::1]:80", body: "SELECT 1"}, 200},
		{"rebound name", call{host: "evil.example", body: "SELECT 1"}, 403},
		{"rebound ping", call{host: "evil.example", method: "GET", path: "ping"}, 403},
		{"foreign origin", call{header: http.Header{"Origin": {"https://evil.example"}}, body: "SELECT 1"}, 403},
		{"null origin", call{header: http.Header{"Origin": {"null"}}, body: "SELECT 1"}, 403},
		{"own origin", call{header: http.Header{"Origin": {"http://localhost:3000"}}, body: "SELECT 1"}, 200},
	} {
		if resp, body := tc.call.do(t, e); resp.StatusCode != tc.status {
			t.Errorf("%s: status %d %q, want %d", tc.name, resp.StatusCode, body, tc.status)
		}
	}
	for _, name := range []string{"password", "password.readonly", "lock"} {
		st, err := os.Stat(filepath.Join(e.cfg.DataDir, name))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

// On every interface those may ask who are named, and the service itself.
func TestWhoMayAskFromElsewhere(t *testing.T) {
	e := start(t, func(c *engine.Config) { c.Listen, c.AllowedHosts = "0.0.0.0:0", []string{"plumbline.internal"} })
	for host, status := range map[string]int{"": 200, "plumbline.internal": 200, "Plumbline.Internal:8123": 200, "evil.example": 403, "0.0.0.0": 403} {
		if resp, body := (call{user: "read", host: host, body: "SELECT 1"}).do(t, e); resp.StatusCode != status {
			t.Errorf("host %q: status %d %q, want %d", host, resp.StatusCode, body, status)
		}
	}
}

// outside are statements that reach files, programs, the network or other
// threads. Each must be refused to every user.
func outside(secret, target string) []string {
	return []string{
		"SELECT * FROM file('" + secret + "', 'LineAsString')",
		"SELECT file('" + secret + "')",
		"SELECT FILE('" + secret + "')",
		"SELECT `file`('" + secret + "')",
		"SELECT \"file\" /* x */ ('" + secret + "')",
		"SELECT * APPLY file FROM (SELECT '" + secret + "')",
		"SELECT * APPLY(file) FROM (SELECT '" + secret + "')",
		"SELECT arrayMap(x -> file(x), ['" + secret + "'])",
		"SELECT * FROM `" + secret + "`",
		"SELECT * FROM default.`" + secret + "`",
		"DESCRIBE TABLE file('" + secret + "', 'LineAsString')",
		"SELECT * FROM filesystem('/etc')",
		"SELECT * FROM loop(file('" + secret + "', 'LineAsString')) LIMIT 1",
		"SELECT * FROM fileCluster('default', '" + secret + "', 'LineAsString')",
		"SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8')",
		"SELECT * FROM s3('http://bucket.127.0.0.1:1/abc/def', 'CSV', 'a Int8')",
		"SELECT * FROM remote('127.0.0.1:1', 'system', 'one')",
		"SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
		"SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
		"SELECT * FROM sqlite('" + target + "', 't')",
		"SELECT * FROM executable('cat', 'TSV', 'a String')",
		"SELECT count() FROM system.stack_trace",
		"SELECT count() FROM system.`stack_trace`",
		"SELECT 1 INTO OUTFILE '" + target + "'",
		"SELECT 1 INTO/**/OUTFILE '" + target + "' FORMAT CSV",
		"exit",
		"\\d",
		"SELECT 1; SELECT 2",
	}
}

// outsideWrites are the same for those who may write.
func outsideWrites(secret, target string) []string {
	return []string{
		"INSERT INTO FUNCTION file('" + target + "', 'CSV', 'a Int8') VALUES (1)",
		"INSERT INTO FUNCTION file('" + target + "', 'CSV', 'a Int8') SELECT 1",
		"INSERT INTO FUNCTION url('http://127.0.0.1:1/', 'CSV', 'a Int8') SELECT 1",
		"INSERT INTO t FROM INFILE '" + secret + "' FORMAT LineAsString",
		"CREATE TABLE f (a String) ENGINE File(LineAsString, '" + secret + "')",
		"CREATE TABLE u (a Int8) ENGINE URL('http://127.0.0.1:1/', CSV)",
		"CREATE DATABASE fs ENGINE Filesystem('/etc')",
		"CREATE DATABASE sq ENGINE SQLite('" + target + "')",
		"CREATE FUNCTION read AS (x) -> file(x)",
		"CREATE DICTIONARY d (a UInt64, b String) PRIMARY KEY a SOURCE(FILE(PATH '" + secret + "' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
		"CREATE DICTIONARY d (a UInt64, b String) PRIMARY KEY a SOURCE ( EXECUTABLE(COMMAND 'id' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
		"CREATE DICTIONARY d (a UInt64, b String) PRIMARY KEY a SOURCE(/**/HTTP(URL 'http://127.0.0.1:1' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
		"BACKUP DATABASE plumbline TO File('" + target + "')",
		"ATTACH TABLE z FROM '/etc' (a Int8) ENGINE MergeTree ORDER BY a",
		"CREATE TABLE k (a Int8) ENGINE MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '" + target + "/')",
		"CREATE USER x",
		"GRANT ALL ON *.* TO default",
		"SYSTEM SHUTDOWN",
	}
}

func TestNothingReachesOutside(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	exec(t, c, "CREATE TABLE t (a String) ENGINE MergeTree ORDER BY a")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "written")
	ask := func(user string, sql string) {
		t.Helper()
		resp, body := call{user: user, body: sql}.do(t, e)
		if resp.StatusCode == 200 || strings.Contains(body, "SECRET\n") {
			t.Errorf("%s: %s: status %d %q", user, sql, resp.StatusCode, body)
		}
		if _, err := os.Stat(target); err == nil {
			t.Fatalf("%s: %s: wrote a file", user, sql)
		}
	}
	for _, sql := range outside(secret, target) {
		ask("", sql)
		ask("read", sql)
	}
	for _, sql := range outsideWrites(secret, target) {
		ask("", sql)
		ask("read", sql)
	}
	if resp, body := (call{body: "SELECT t.`file`, tab.file FROM (SELECT 1 AS x, 2 AS y) AS t"}).do(t, e); resp.StatusCode == 200 {
		t.Errorf("an unknown column was found: %s", body)
	}
	if resp, body := (call{body: "SELECT 'file(\\'x\\')' AS a, \"a\" || ' outfile' -- file('x')"}).do(t, e); resp.StatusCode != 200 {
		t.Errorf("names in strings and comments are harmless: %s", body)
	}
}

func TestReadOnlyUser(t *testing.T) {
	e := start(t, func(c *engine.Config) { c.Analyst = engine.Limits{Time: 2e9, Rows: 1000, Memory: 64 << 20} })
	c := open(t, e.DSN(), nil)
	exec(t, c, "CREATE TABLE t (a UInt64) ENGINE MergeTree ORDER BY a")
	exec(t, c, "INSERT INTO t SELECT number FROM numbers(5000)")
	read := open(t, e.ReadDSN(), nil)
	var n uint64
	if err := read.QueryRow(t.Context(), "SELECT count() FROM t WHERE a < {x:UInt64}", namedX(10)).Scan(&n); err != nil || n != 10 {
		t.Fatalf("read: %d, %v", n, err)
	}
	for _, tc := range []struct {
		sql  string
		more url.Values
		want string
	}{
		{"INSERT INTO t VALUES (1)", nil, "READONLY"},
		{"INSERT INTO t FORMAT TSV\n1\n", nil, "READONLY"},
		{"INSERT INTO t SELECT 1", nil, "READONLY"},
		{"WITH 1 AS x INSERT INTO t SELECT x", nil, "READONLY"},
		{"TRUNCATE TABLE t", nil, "READONLY"},
		{"DROP TABLE t", nil, "READONLY"},
		{"ALTER TABLE t DELETE WHERE 1", nil, "READONLY"},
		{"CREATE TABLE u (a Int8) ENGINE Memory", nil, "READONLY"},
		{"CREATE TEMPORARY TABLE u (a Int8)", nil, "READONLY"},
		{"OPTIMIZE TABLE t", nil, "READONLY"},
		{"KILL QUERY WHERE 1", nil, "READONLY"},
		{"SYSTEM STOP MERGES", nil, "READONLY"},
		{"SET readonly = 0", nil, "READONLY"},
		{"USE system", nil, "READONLY"},
		{"SELECT 1 SETTINGS readonly = 0", nil, "READONLY"},
		{"SELECT 1 SETTINGS max_execution_time = 0", nil, "READONLY"},
		{"SELECT 1", q("allow_ddl", "1"), "READONLY"},
		{"SELECT * FROM t", q("max_result_rows", "0"), "TOO_MANY_ROWS"},
		{"SELECT a FROM t FORMAT JSON", nil, "TOO_MANY_ROWS"},
		{"SELECT count() FROM numbers(1e12) WHERE number % 7 = 9", q("max_execution_time", "1"), "TIMEOUT_EXCEEDED"},
		{"SELECT length(groupArray(number)) FROM numbers(1e9)", nil, "MEMORY_LIMIT_EXCEEDED"},
	} {
		resp, body := call{user: "read", body: tc.sql, query: tc.more}.do(t, e)
		if !strings.Contains(body, tc.want) {
			t.Errorf("%s %v: status %d %q, want %s", tc.sql, tc.more, resp.StatusCode, body, tc.want)
		}
	}
	for _, sql := range []string{"SHOW TABLES", "DESCRIBE t", "EXPLAIN SELECT a FROM t", "EXISTS TABLE t", "(SELECT 1)", "WITH 1 AS x SELECT x", "SELECT 1 FORMAT JSON"} {
		if resp, body := (call{user: "read", body: sql}).do(t, e); resp.StatusCode != 200 {
			t.Errorf("%s: %s", sql, body)
		}
	}
	// Who asks for more than the caps gets the caps, as often as he asks: the second
	// time he gets the connection of the first.
	for range 3 {
		if _, body := (call{user: "read", body: "SELECT 1", query: q("max_execution_time", "185")}).do(t, e); body != "1\n" {
			t.Errorf("a longer time than is granted: %s", body)
		}
	}
	if err := c.QueryRow(context.Background(), "SELECT count() FROM t").Scan(&n); err != nil || n != 5000 {
		t.Errorf("table changed: %d rows, %v", n, err)
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	e := start(t, func(c *engine.Config) { c.MaxQueries = 4 })
	errs := make(chan error)
	for i := range 40 {
		go func() {
			_, body := call{body: fmt.Sprintf("SELECT %d + sleepEachRow(0.01)", i)}.do(t, e)
			if body != fmt.Sprintf("%d\n", i) {
				errs <- fmt.Errorf("request %d: %q", i, body)
				return
			}
			errs <- nil
		}()
	}
	for range 40 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
