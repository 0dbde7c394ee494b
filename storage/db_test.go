package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/grid"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestMigrateIsIdempotentAndExtends(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	ctx, conn := t.Context(), env.DB.Conn()
	if err := env.DB.Migrate(ctx); err != nil {
		t.Fatalf("migrate again: %v", err)
	}
	if err := conn.Exec(ctx, "ALTER TABLE deployments DROP COLUMN note"); err != nil {
		t.Fatal(err)
	}
	if err := env.DB.Migrate(ctx); err != nil {
		t.Fatalf("migrate a table that lacks a column: %v", err)
	}
	if err := conn.Exec(ctx, "SELECT note FROM deployments"); err != nil {
		t.Fatalf("the column was not added: %v", err)
	}
	if err := conn.Exec(ctx, "ALTER TABLE deployments MODIFY COLUMN note LowCardinality(String)"); err != nil {
		t.Fatal(err)
	}
	if err := env.DB.Migrate(ctx); err == nil || !strings.Contains(err.Error(), "deployments.note") {
		t.Fatalf("migrate over a retyped column: %v, want an error that names it", err)
	}
}

// A database of the version that counted rows and knew neither weights nor
// segments of outcomes: its rollups say how many rows they were counted from, and
// the join finds what it needs of a prediction by id.
func TestMigrateFromTheVersionWithoutWeights(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	ctx, conn := t.Context(), env.DB.Conn()
	exec := func(query string) {
		t.Helper()
		if err := conn.Exec(ctx, query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	for _, table := range []string{"series_minute", "series_hour", "categories_hour", "outcome_cells"} {
		exec("ALTER TABLE " + table + " DROP COLUMN rows")
	}
	exec("ALTER TABLE outcomes DROP COLUMN requests, DROP COLUMN segments, DROP COLUMN held")
	exec("INSERT INTO join_cursor (topic, epoch, partition, done) VALUES ('labels', 'e', 0, 7)")
	exec("ALTER TABLE predictions DROP PROJECTION by_id SETTINGS mutations_sync = 2")
	exec("ALTER TABLE predictions ADD PROJECTION by_id (SELECT model, prediction_id, ts ORDER BY model, prediction_id)")
	exec("INSERT INTO predictions (model, prediction_id, ts, weight) SELECT 'm', toString(number), now64(3), 1 FROM numbers(10)")
	for _, table := range []string{"series_minute", "series_hour", "categories_hour"} {
		exec("INSERT INTO " + table + " (model, series, time, count) VALUES ('m', 'requests', now(), 7)")
	}
	exec("INSERT INTO outcome_cells (model, time, known, labelled, correct) VALUES ('m', now(), now(), 5, 4)")
	exec("INSERT INTO outcomes (model, prediction_id, ts, known, labelled) VALUES ('m', '1', now64(3), now64(3), 1)")
	for _, former := range []string{"days_of_ids", "id_days"} {
		exec("CREATE TABLE " + env.DB.Local(plumbline.TableName(former)) + env.DB.OnCluster() + " (id UInt64, ts DateTime) ENGINE = MergeTree ORDER BY id")
	}
	for range 2 { // the second time changes nothing
		if err := env.DB.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
	}
	exec("INSERT INTO series_hour (model, series, time, count, rows) SELECT 'm', 'requests', time, 20, 2 FROM series_hour")
	exec("OPTIMIZE TABLE series_hour FINAL")
	for query, want := range map[string]uint64{
		"SELECT sum(rows) FROM series_hour":             9,
		"SELECT sum(rows) FROM series_minute":           7,
		"SELECT sum(rows) FROM categories_hour":         7,
		"SELECT toUInt64(sum(rows)) FROM outcome_cells": 5,
		"SELECT sum(requests) FROM outcomes":            1,
		"SELECT count() FROM join_cursor":               0,
		"SELECT count() FROM system.tables WHERE database = currentDatabase() AND (name LIKE 'days_of_ids%' OR name LIKE 'id_days%')": 0,
		"SELECT sum(length(segments)) FROM outcomes":    0,
		"SELECT toUInt64(sum(weight)) FROM predictions": 10,
		"SELECT count() FROM system.mutations WHERE command LIKE '%MATERIALIZE PROJECTION%' AND database = currentDatabase()":                        1,
		"SELECT countIf(query LIKE '%score, weight, propensity, half, segments, known%') FROM system.projections WHERE database = currentDatabase()": 1,
	} {
		var n uint64
		if err := conn.QueryRow(ctx, query).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", query, n, err, want)
		}
	}
}

// A database of a version that declared other codecs takes the new ones once.
func TestMigrateAltersCodecs(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn := env.DB.Conn()
	codec := func(column string) (codec string) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT compression_codec FROM system.columns WHERE database = currentDatabase() AND table = 'predictions' AND name = ?", column).Scan(&codec); err != nil {
			t.Fatal(err)
		}
		return codec
	}
	known, model := codec("known"), codec("model")
	for _, change := range []string{"known CODEC(LZ4)", "model CODEC(ZSTD(3))"} {
		if err := conn.Exec(t.Context(), "ALTER TABLE predictions MODIFY COLUMN "+change); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.DB.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k, m := codec("known"), codec("model"); k != known || m != model || known == "" || model != "" {
		t.Errorf("known is stored with %q and model with %q, want %q and %q", k, m, known, model)
	}
	// What stands everywhere as it is declared is not altered again.
	for _, table := range plumbline.Tables() {
		for _, c := range table.Columns {
			var stands string
			if err := conn.QueryRow(t.Context(), "SELECT compression_codec FROM system.columns WHERE database = currentDatabase() AND table = ? AND name = ?", string(table.Name), c.Name).Scan(&stands); err != nil {
				t.Fatal(err)
			}
			stands = strings.NewReplacer("Delta(8)", "Delta", "Delta(4)", "Delta").Replace(strings.TrimSuffix(strings.TrimPrefix(stands, "CODEC("), ")"))
			if stands != c.Codec {
				t.Errorf("codec of %s.%s is %q, declared as %q", table.Name, c.Name, stands, c.Codec)
			}
		}
	}
}

func TestMigrateAltersRetentionAndSettings(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	// As of a version that did not declare it yet.
	if err := env.DB.Conn().Exec(t.Context(), "ALTER TABLE predictions RESET SETTING min_bytes_for_wide_part"); err != nil {
		t.Fatal(err)
	}
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database = env.DSN, env.DB.Database()
	cfg.DedupWindow, cfg.Retention.Raw = 5, 30*24*3600e9
	db, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ddl string
	if err := db.Conn().QueryRow(t.Context(), "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'predictions'").Scan(&ddl); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"toIntervalDay(30)", "non_replicated_deduplication_window = 5", "min_bytes_for_wide_part = 134217728"} {
		if !strings.Contains(ddl, want) {
			t.Errorf("the table lacks %s:\n%s", want, ddl)
		}
	}
}

// Every declared table takes a record of its Arrow schema, with a value of each
// type, and gives the same values back.
func TestEveryTableTakesItsArrowSchema(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	pool := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer pool.AssertSize(t, 0)
	for _, table := range plumbline.Tables() {
		rec := sampleRecord(t, pool, storage.ArrowSchema(table.Name))
		if err := env.DB.Insert(t.Context(), table.Name, "token-"+string(table.Name), rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		var n uint64
		if err := env.DB.Conn().QueryRow(t.Context(), "SELECT count() FROM "+string(table.Name)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != 1 {
			t.Errorf("%s holds %d rows, want 1", table.Name, n)
		}
	}
	checkMergingTypes(t, env)
}

func checkMergingTypes(t *testing.T, env *testenv.Env) {
	t.Helper()
	var sum big.Int
	var buckets []int32
	var counts []uint64
	row := env.DB.Conn().QueryRow(t.Context(), "SELECT sum(sum_nano), sumMap(hist).1, sumMap(hist).2 FROM series_hour")
	if err := row.Scan(&sum, &buckets, &counts); err != nil {
		t.Fatal(err)
	}
	if want := new(big.Int).SetInt64(-2); sum.Cmp(want) != 0 {
		t.Errorf("Int128 came back as %s, want %s", &sum, want)
	}
	if fmt.Sprint(buckets, counts) != "[-3 7] [1 2]" {
		t.Errorf("histogram came back as %v %v", buckets, counts)
	}
	var number float64
	var category, name string
	row = env.DB.Conn().QueryRow(t.Context(), "SELECT numbers['k'], categories['k'], nulls[1] FROM predictions")
	if err := row.Scan(&number, &category, &name); err != nil {
		t.Fatal(err)
	}
	if number != 1.5 || category != "text" || name != "name" {
		t.Errorf("maps came back as %v %q %q", number, category, name)
	}
}

func TestTheSameTokenStoresOnce(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	rec := sampleRecord(t, memory.DefaultAllocator, storage.ArrowSchema(plumbline.TableLabels))
	for range 3 {
		if err := env.DB.Insert(t.Context(), plumbline.TableLabels, "one", rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.DB.Insert(t.Context(), plumbline.TableLabels, "two", rec); err != nil {
		t.Fatal(err)
	}
	var n uint64
	if err := env.DB.Conn().QueryRow(t.Context(), "SELECT count() FROM labels").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != 2 {
		t.Fatalf("%d rows after one token three times and another once, want 2", n)
	}
}

func TestUndeclaredColumnIsRefused(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	schema := arrow.NewSchema([]arrow.Field{{Name: "modle", Type: arrow.BinaryTypes.String}}, nil)
	err := env.DB.Insert(t.Context(), plumbline.TableLabels, "t", sampleRecord(t, memory.DefaultAllocator, schema))
	if err == nil || !strings.Contains(err.Error(), "modle") {
		t.Fatalf("insert of a misspelt column: %v, want an error that names it", err)
	}
}

// The SQL of the grid gives the same bucket as the Go of the grid, bit for bit.
func TestGridInSQL(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	values := []float64{0, math.Copysign(0, -1), 1, -1, math.Pi, -math.Pi, 511, 512, 513, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0x1p-1022}
	r := rand.New(rand.NewPCG(3, 4))
	for len(values) < 5000 {
		if v := math.Float64frombits(r.Uint64()); !math.IsNaN(v) && !math.IsInf(v, 0) {
			values = append(values, v, math.Floor(r.NormFloat64()*1000), r.Float64())
		}
	}
	full, coarse := queryBuckets(t.Context(), t, env, values)
	for i, v := range values {
		if want := grid.Bucket(v); full[i] != want {
			t.Fatalf("%g: SQL bucket %d, Go bucket %d", v, full[i], want)
		}
		if want := grid.ToCoarse(grid.Bucket(v)); coarse[i] != want {
			t.Fatalf("%g: SQL coarse bucket %d, Go %d", v, coarse[i], want)
		}
	}
}

func queryBuckets(ctx context.Context, t *testing.T, env *testenv.Env, values []float64) (full, coarse []int32) {
	t.Helper()
	bits := make([]string, len(values))
	for i, v := range values {
		bits[i] = fmt.Sprint(math.Float64bits(v))
	}
	bucket := grid.SQLBucket("v")
	query := "SELECT groupArray(" + bucket + "), groupArray(" + grid.SQLCoarse(bucket) + ") FROM (SELECT reinterpretAsFloat64(arrayJoin([" + strings.Join(bits, ",") + "]::Array(UInt64))) AS v)"
	if err := env.DB.Conn().QueryRow(ctx, query).Scan(&full, &coarse); err != nil {
		t.Fatal(err)
	}
	return full, coarse
}

// sampleRecord returns one row with a telling value of each type.
func sampleRecord(t *testing.T, pool memory.Allocator, schema *arrow.Schema) arrow.Record {
	t.Helper()
	b := array.NewRecordBuilder(pool, schema)
	defer b.Release()
	for i := range schema.NumFields() {
		appendSample(t, b.Field(i))
	}
	return b.NewRecord()
}

func appendSample(t *testing.T, b array.Builder) {
	t.Helper()
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append("text")
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString("name"); err != nil {
			t.Fatal(err)
		}
	case *array.TimestampBuilder:
		// Recent, or the retention drops the row as it comes in.
		now, err := arrow.TimestampFromTime(time.Now(), b.Type().(*arrow.TimestampType).Unit)
		if err != nil {
			t.Fatal(err)
		}
		b.Append(now)
	case *array.Float64Builder:
		b.Append(1.5)
	case *array.Int8Builder:
		b.Append(-1)
	case *array.Int32Builder:
		b.Append(-3)
	case *array.Int64Builder:
		b.Append(-5)
	case *array.Uint8Builder:
		b.Append(1)
	case *array.Uint64Builder:
		// The day of an id_day is in its lowest bits: today, for the same
		// reason. A merge that drops what expired comes when it likes.
		b.Append(uint64(time.Now().Unix() / (24 * 60 * 60)))
	case *array.FixedSizeBinaryBuilder:
		minusTwo := bytes.Repeat([]byte{0xff}, b.Type().(*arrow.FixedSizeBinaryType).ByteWidth)
		minusTwo[0] = 0xfe
		b.Append(minusTwo)
	case *array.MapBuilder:
		b.Append(true)
		if err := b.KeyBuilder().(*array.BinaryDictionaryBuilder).AppendString("k"); err != nil {
			t.Fatal(err)
		}
		appendSample(t, b.ItemBuilder())
	case *array.ListBuilder:
		b.Append(true)
		appendSample(t, b.ValueBuilder())
	case *array.StructBuilder:
		b.Append(true)
		buckets, counts := b.FieldBuilder(0).(*array.ListBuilder), b.FieldBuilder(1).(*array.ListBuilder)
		buckets.Append(true)
		buckets.ValueBuilder().(*array.Int32Builder).AppendValues([]int32{-3, 7}, nil)
		counts.Append(true)
		if changes, ok := counts.ValueBuilder().(*array.Int64Builder); ok {
			changes.AppendValues([]int64{1, -2}, nil)
			return
		}
		counts.ValueBuilder().(*array.Uint64Builder).AppendValues([]uint64{1, 2}, nil)
	default:
		t.Fatalf("no sample for %T", b)
	}
}

// No cluster can run here, so ClickHouse's parser is what judges its DDL.
func TestClusterDDLParses(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	text, err := os.ReadFile("testdata/cluster.sql")
	if err != nil {
		t.Fatal(err)
	}
	statements := append(strings.Split(strings.TrimSuffix(string(text), ";\n\n"), ";\n\n"), "SYSTEM SYNC REPLICA `plumbline`.`batches_local` LIGHTWEIGHT")
	for _, ddl := range statements {
		if err := env.DB.Conn().Exec(t.Context(), "EXPLAIN AST "+ddl); err != nil {
			t.Errorf("%s: %v", ddl, err)
		}
	}
	settings := clickhouse.Settings{"insert_quorum": storage.DefaultConfig().InsertQuorum, "distributed_product_mode": "global"}
	if err := env.DB.Conn().Exec(clickhouse.Context(t.Context(), clickhouse.WithSettings(settings)), "SELECT 1"); err != nil {
		t.Errorf("settings of a cluster: %v", err)
	}
}

func TestShards(t *testing.T) {
	cfg := storage.DefaultConfig()
	cfg.Shards = []storage.Shard{{Name: "a", DSN: "http://a:8123"}, {Name: "b", DSN: "http://b:8123"}}
	db, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if shards := db.Shards(); len(shards) != 2 || shards[0].Shard() != "a" || shards[1].Shard() != "b" {
		t.Errorf("shards: %v", shards)
	}
	for name, change := range map[string]func(*storage.Config){
		"no name":       func(c *storage.Config) { c.Shards[0].Name = "" },
		"same name":     func(c *storage.Config) { c.Shards[1].Name = "a" },
		"no address":    func(c *storage.Config) { c.Shards[1].DSN = "" },
		"two addresses": func(c *storage.Config) { c.Shards[1].DSNFile = "f" },
		"quorum":        func(c *storage.Config) { c.InsertQuorum = "most" },
	} {
		bad := cfg
		bad.Shards = slices.Clone(cfg.Shards)
		change(&bad)
		if _, err := storage.New(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	cfg.Shards, cfg.DSN = nil, "http://a:8123,b:8123"
	several, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer several.Close()
	if shards := several.Shards(); len(shards) != 1 || shards[0] != several {
		t.Errorf("without shards: %v", shards)
	}
	if several.Fences() || !db.Shards()[0].Fences() {
		t.Error("a session lives on one server, so it can fence only where the DSN names one")
	}
}

// A session that is closed refuses what comes later, and says so.
func TestClosedSessionRefusesInserts(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	rec := sampleRecord(t, memory.DefaultAllocator, storage.ArrowSchema(plumbline.TableLabels))
	session, err := env.DB.OpenSession(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if server, err := env.DB.Server(t.Context()); err != nil || server != session.Server || len(server) < 10 {
		t.Errorf("session is on %q, server is %q, %v", session.Server, server, err)
	}
	insert := func(token string) error {
		return env.DB.InsertIn(t.Context(), session, plumbline.TableLabels, token, rec)
	}
	if err := insert("one"); err != nil {
		t.Fatal(err)
	}
	for gone := false; !gone; {
		if gone, err = env.DB.CloseSession(t.Context(), session); err != nil {
			t.Fatal(err)
		}
	}
	if err := insert("two"); !storage.IsSessionGone(err) || storage.IsSessionBusy(err) {
		t.Errorf("insert in a closed session: %v", err)
	}
	var n uint64
	if err := env.DB.Conn().QueryRow(t.Context(), "SELECT count() FROM labels").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v; want 1", n, err)
	}
}

// What is computed goes to one shard on a cluster, into its local tables.
func TestDerived(t *testing.T) {
	cfg := storage.DefaultConfig()
	cfg.DSN = "http://readers:8123"
	cfg.Shards = []storage.Shard{{Name: "a", DSN: "http://a:8123"}, {Name: "b", DSN: "http://b:8123"}}
	for cluster, want := range map[string]string{"": "/findings", "analytics": "a/findings_local"} {
		cfg.Cluster = cluster
		db, err := storage.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		derived := db.Derived()
		if got := derived.Shard() + "/" + derived.Local(plumbline.TableFindings); got != want {
			t.Errorf("cluster %q: derived rows go to %s, want %s", cluster, got, want)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Again sends an insert again under its token until it succeeds, and gives up.
func TestAgain(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	rec := sampleRecord(t, memory.DefaultAllocator, storage.ArrowSchema(plumbline.TableLabels))
	tries := 0
	err := storage.Again(t.Context(), func(ctx context.Context) error {
		tries++
		if err := env.DB.Insert(ctx, plumbline.TableLabels, "again", rec); err != nil || tries > 2 {
			return err
		}
		return errors.New("the answer was lost")
	})
	var n uint64
	if scan := env.DB.Conn().QueryRow(t.Context(), "SELECT count() FROM labels").Scan(&n); err != nil || scan != nil || n != 1 || tries != 3 {
		t.Errorf("%d rows after %d tries: %v, %v", n, tries, err, scan)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	down := errors.New("down")
	if err := storage.Again(ctx, func(context.Context) error { return down }); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}
