package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// compressions are the ways clickhouse-go can ask for compression over HTTP.
var compressions = map[string]*clickhouse.Compression{
	"none":    nil,
	"lz4":     {Method: clickhouse.CompressionLZ4},
	"zstd":    {Method: clickhouse.CompressionZSTD},
	"gzip":    {Method: clickhouse.CompressionGZIP, Level: 1},
	"deflate": {Method: clickhouse.CompressionDeflate, Level: 1},
	"brotli":  {Method: clickhouse.CompressionBrotli, Level: 1},
}

// compressed asks for compression; a server answers with gzip and the like only
// if enable_http_compression is set.
func compressed(c *clickhouse.Compression) func(*clickhouse.Options) {
	return func(o *clickhouse.Options) {
		o.Compression = c
		o.Settings = clickhouse.Settings{"enable_http_compression": 1}
	}
}

// typeCases are written with PrepareBatch and read back.
func typeCases() []struct {
	typ   string
	value any
} {
	at := time.Date(2026, 7, 1, 12, 30, 15, 123_000_000, time.UTC)
	huge, _ := new(big.Int).SetString("-170141183460469231731687303715884105728", 10)
	word := "nullable"
	return []struct {
		typ   string
		value any
	}{
		{"String", "a\x00b\n\n\\'c"},
		{"LowCardinality(String)", "low"},
		{"Nullable(String)", &word},
		{"Nullable(Int32)", (*int32)(nil)},
		{"Map(LowCardinality(String), Float64)", map[string]float64{"a": 1.5, "b": -2}},
		{"Array(Int32)", []int32{1, -2, 3}},
		{"Array(Array(String))", [][]string{{"x"}, {}, {"y", "z"}}},
		{"DateTime64(3, 'UTC')", at},
		{"DateTime('UTC')", at.Truncate(time.Second)},
		{"Date", time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)},
		{"Int128", huge},
		{"UInt64", uint64(1<<64 - 1)},
		{"Decimal(18, 4)", decimal.RequireFromString("-12345.6789")},
		{"Tuple(Int32, String)", []any{int32(7), "t"}},
		{"Tuple(Array(Int32), Array(UInt64))", []any{[]int32{-1, 2}, []uint64{3, 4}}},
		{"UUID", uuid.MustParse("61f0c404-5cb3-11e7-907b-a6006ad3dba0")},
		{"Bool", true},
		{"Float64", 0.1},
		{"FixedString(4)", "abcd"},
		{"Enum8('a' = 1, 'b' = 2)", "b"},
		{"IPv4", "127.0.0.1"},
	}
}

func TestTypesThroughClient(t *testing.T) {
	e := start(t, nil)
	for name, compression := range compressions {
		t.Run(name, func(t *testing.T) {
			c := open(t, e.DSN(), compressed(compression))
			for i, tc := range typeCases() {
				table := fmt.Sprintf("t_%s_%d", name, i)
				exec(t, c, "CREATE TABLE "+table+" (v "+tc.typ+") ENGINE MergeTree ORDER BY tuple()")
				batch, err := c.PrepareBatch(t.Context(), "INSERT INTO "+table)
				if err != nil {
					t.Fatalf("%s: %v", tc.typ, err)
				}
				if err := errors.Join(batch.Append(tc.value), batch.Append(tc.value), batch.Send()); err != nil {
					t.Fatalf("%s: %v", tc.typ, err)
				}
				checkColumn(t, c, table, tc.typ, tc.value)
			}
		})
	}
}

// checkColumn reads v of table's two rows and compares it with want.
func checkColumn(t *testing.T, c clickhouse.Conn, table, typ string, want any) {
	t.Helper()
	rows, err := c.Query(t.Context(), "SELECT v FROM "+table)
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		got := reflect.New(rows.ColumnTypes()[0].ScanType())
		if err := rows.Scan(got.Interface()); err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		if !sameValue(got.Elem().Interface(), want) {
			t.Errorf("%s: got %v, want %v", typ, got.Elem().Interface(), want)
		}
	}
	if err := rows.Err(); err != nil || n != 2 {
		t.Fatalf("%s: %d rows, %v", typ, n, err)
	}
}

func sameValue(got, want any) bool {
	switch w := want.(type) {
	case time.Time:
		return w.Equal(got.(time.Time))
	case *big.Int:
		g, ok := got.(big.Int)
		if p, isPtr := got.(*big.Int); isPtr {
			g, ok = *p, true
		}
		return ok && w.Cmp(&g) == 0
	case decimal.Decimal:
		return w.Equal(got.(decimal.Decimal))
	case string, uuid.UUID:
		return fmt.Sprint(got) == fmt.Sprint(w)
	}
	return reflect.DeepEqual(got, want)
}

func TestParameters(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	ctx := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{
		"n": "41", "s": `it's \ "quoted"`, "a": "[1,2,3]", "table": "one",
	}))
	var n uint64
	var s string
	var sum uint64
	err := c.QueryRow(ctx, "SELECT {n:UInt64} + 1, {s:String}, arraySum({a:Array(UInt64)}) FROM system.{table:Identifier}").Scan(&n, &s, &sum)
	if err != nil || n != 42 || s != `it's \ "quoted"` || sum != 6 {
		t.Fatalf("got %d %q %d, %v", n, s, sum, err)
	}
	if err := c.QueryRow(t.Context(), "SELECT toUInt64(?) + length(?)", 40, "ab").Scan(&n); err != nil || n != 42 {
		t.Fatalf("positional: got %d, %v", n, err)
	}
	if err := c.QueryRow(t.Context(), "SELECT {n:UInt64}", clickhouse.Named("n", uint64(7))).Scan(&n); err != nil || n != 7 {
		t.Fatalf("named: got %d, %v", n, err)
	}
}

func TestExceptions(t *testing.T) {
	e := start(t, nil)
	for name, compression := range compressions {
		c := open(t, e.DSN(), compressed(compression))
		for _, tc := range []struct {
			sql    string
			code   int32
			status int
		}{
			{"SELEC 1", 62, 400},
			{"SELECT * FROM absent", 60, 404},
			{"SELECT nosuch(1)", 46, 404},
			{"SELECT 1 FROM nodb.t", 81, 404},
			{"SELECT throwIf(1, 'thrown')", 395, 500},
			{"SELECT 1; SELECT 2", 62, 400},
		} {
			rows, err := c.Query(t.Context(), tc.sql)
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
			}
			var ex *clickhouse.Exception
			if !errors.As(err, &ex) || ex.Code != tc.code {
				t.Errorf("%s: %s: got %v, want code %d", name, tc.sql, err, tc.code)
			}
			var he *clickhouse.HTTPError
			if !errors.As(err, &he) || he.StatusCode != tc.status {
				t.Errorf("%s: %s: got %v, want status %d", name, tc.sql, err, tc.status)
			}
		}
		// The error comes after rows were sent: there is no status for it.
		rows, err := c.Query(t.Context(), "SELECT throwIf(number = 50000, 'late'), number FROM numbers(60000) SETTINGS max_block_size = 1000, max_threads = 1")
		n := 0
		if err == nil {
			for rows.Next() {
				n++
			}
			err = rows.Err()
		}
		var ex *clickhouse.Exception
		if !errors.As(err, &ex) || ex.Code != 395 || !strings.Contains(ex.Message, "late") || n == 0 {
			t.Errorf("%s: mid-stream: %d rows, %v", name, n, err)
		}
	}
}

func TestSettingsAndDatabases(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), func(o *clickhouse.Options) { o.Settings = clickhouse.Settings{"max_block_size": 1234} })
	read := func(ctx context.Context, name string) (v string) {
		t.Helper()
		if err := c.QueryRow(ctx, "SELECT toString(getSetting('"+name+"'))").Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	with := func(s clickhouse.Settings) context.Context {
		return clickhouse.Context(t.Context(), clickhouse.WithSettings(s))
	}
	for range 3 { // connections are pooled: one request's settings must not reach the next
		if got := read(t.Context(), "max_block_size"); got != "1234" {
			t.Errorf("connection's setting: got %s", got)
		}
		if got := read(with(clickhouse.Settings{"max_block_size": 99}), "max_block_size"); got != "99" {
			t.Errorf("query's setting: got %s", got)
		}
		if got := read(with(clickhouse.Settings{"insert_deduplication_token": "it's"}), "insert_deduplication_token"); got != "it's" {
			t.Errorf("token: got %s", got)
		}
		if got := read(t.Context(), "insert_deduplication_token"); got != "" {
			t.Errorf("token leaked: %s", got)
		}
		if got := read(with(clickhouse.Settings{"log_comment": "mine"}), "log_comment"); !strings.HasSuffix(got, " mine") {
			t.Errorf("log comment: got %s", got)
		}
	}
	exec(t, c, "SET max_block_size = 5") // ends with its request
	if got := read(t.Context(), "max_block_size"); got != "1234" {
		t.Errorf("after SET: got %s", got)
	}
	var ex *clickhouse.Exception
	if err := c.Exec(with(clickhouse.Settings{"no_such_setting": 1}), "SELECT 1"); !errors.As(err, &ex) || ex.Code != 115 {
		t.Errorf("unknown setting: %v", err)
	}
	if err := c.Exec(with(clickhouse.Settings{"max_block_size": "many"}), "SELECT 1"); err == nil {
		t.Error("a setting's impossible value was accepted")
	}
	exec(t, c, "CREATE DATABASE `other db`")
	exec(t, c, "CREATE TABLE `other db`.t (a Int32) ENGINE Memory")
	o := open(t, e.DSN(), func(o *clickhouse.Options) { o.Auth.Database = "other db" })
	exec(t, o, "SELECT a FROM t")
	missing := open(t, e.DSN(), func(o *clickhouse.Options) { o.Auth.Database = "missing" })
	if err := missing.Exec(t.Context(), "SELECT 1"); !errors.As(err, &ex) || ex.Code != 81 {
		t.Errorf("missing database: %v", err)
	}
}

func namedX(x uint64) any { return clickhouse.Named("x", x) }

func TestExternalTables(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	table, err := ext.NewTable("wanted", ext.Column("id", "UInt64"), ext.Column("name", "String"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(table.Append(uint64(3), "three"), table.Append(uint64(5), "five")); err != nil {
		t.Fatal(err)
	}
	ctx := clickhouse.Context(t.Context(), clickhouse.WithExternalTable(table))
	var names string
	if err := c.QueryRow(ctx, "SELECT arrayStringConcat(groupArray(name), ',') FROM wanted WHERE id IN (SELECT number FROM numbers(10))").Scan(&names); err != nil || names != "three,five" {
		t.Errorf("got %q, %v", names, err)
	}
	if err := c.Exec(t.Context(), "SELECT * FROM wanted"); err == nil {
		t.Error("the external table outlived its query")
	}
}

// running counts the queries that hold the given text.
func running(t *testing.T, c clickhouse.Conn, text string) (n uint64) {
	t.Helper()
	err := c.QueryRow(context.WithoutCancel(t.Context()), "SELECT count() FROM system.processes WHERE position(query, ?) > 0 AND position(query, 'processes') = 0", text).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually polls ok until it holds or the test's patience ends.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(5 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within five minutes", what)
		}
	}
}

func TestCancelKillsTheQuery(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	for _, sql := range []string{
		"SELECT count() FROM numbers(1000000000000) WHERE number % 7 = 11",                        // streamed
		"SELECT count() AS c FROM numbers(1000000000000) WHERE number % 7 = 12 FORMAT JSON",       // whole
		"INSERT INTO FUNCTION null('a UInt64') SELECT number FROM numbers(1000000000000) WHERE 1", // statement
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Exec(ctx, sql) }()
		eventually(t, "query runs", func() bool { return running(t, c, sql[:60]) == 1 })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", sql, err)
		}
		eventually(t, "query is killed", func() bool { return running(t, c, sql[:60]) == 0 })
	}
	exec(t, c, "SELECT 1")
}

func TestClientIsUnmodified(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	v, err := c.ServerVersion()
	if err != nil || v.Version.Major != 26 || v.Revision != 0 {
		t.Errorf("server version: %+v, %v", v, err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	wrong := open(t, strings.Replace(e.DSN(), e.Password(), "wrong", 1), nil)
	var he *clickhouse.HTTPError
	if err := wrong.Ping(t.Context()); !errors.As(err, &he) || he.StatusCode != http.StatusForbidden {
		t.Errorf("wrong password: %v", err)
	}
}

// Sessions go through the client as settings. A statement whose session was
// closed under it is refused before it does anything.
func TestSessionsThroughClient(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	exec(t, c, "CREATE TABLE fenced (a Int32) ENGINE MergeTree ORDER BY a")
	in := func(more clickhouse.Settings) context.Context {
		more["session_id"], more["session_timeout"] = "one", 600
		return clickhouse.Context(t.Context(), clickhouse.WithSettings(more))
	}
	refused := func(what string, err error, code int32) {
		t.Helper()
		var ex *clickhouse.Exception
		if !errors.As(err, &ex) || ex.Code != code {
			t.Errorf("%s: got %v, want code %d", what, err, code)
		}
	}
	insert := func() error {
		return c.Exec(in(clickhouse.Settings{"session_check": 1}), "INSERT INTO fenced VALUES (1)")
	}
	refused("before it is made", insert(), 372)
	if err := errors.Join(c.Exec(in(clickhouse.Settings{}), "SELECT 1"), insert()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(in(clickhouse.Settings{"session_check": 1}))
	done := make(chan error, 1)
	go func() { done <- c.Exec(ctx, "SELECT count() FROM numbers(1000000000000) WHERE number % 7 = 13") }()
	eventually(t, "query runs", func() bool { return running(t, c, "number % 7 = 13") == 1 })
	refused("while a statement runs", insert(), 373)
	cancel()
	<-done
	end := in(clickhouse.Settings{"session_check": 1, "close_session": 1})
	// The client greets on a new connection in the session too, so the greeting
	// may be what closes it.
	eventually(t, "session is closed", func() bool {
		err := c.Exec(end, "SELECT 1")
		var ex *clickhouse.Exception
		if err != nil && (!errors.As(err, &ex) || ex.Code != 373 && ex.Code != 372) {
			t.Fatal(err)
		}
		return err == nil || ex.Code == 372
	})
	refused("after it was closed", insert(), 372)
	refused("closed again", c.Exec(end, "SELECT 1"), 372)
	var n uint64
	if err := c.QueryRow(t.Context(), "SELECT count() FROM fenced").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v; want 1", n, err)
	}
}
