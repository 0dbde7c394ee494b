package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/apache/arrow/go/v17/arrow"

	plumbline "github.com/plumbline-slo/plumbline"
)

// DB is a ClickHouse with Plumbline's schema. It is safe for concurrent use.
type DB struct {
	cfg    Config
	conn   driver.Conn
	shards []*DB  // never empty; the DB itself where none are configured
	shard  string // its name, if it is one of several
	at     string // the section of the configuration that its address is of
	hosts  int    // that the DSN names
}

// New opens no connection yet; it returns an error if the configuration or the
// DSN cannot be used.
func New(cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	db, err := connect(cfg, "clickhouse")
	if err != nil {
		return nil, err
	}
	if db.shards, err = connectShards(cfg); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if len(db.shards) == 0 {
		db.shards = []*DB{db}
	}
	return db, nil
}

// connect opens the one address of a section of the configuration.
func connect(cfg Config, section string) (*DB, error) {
	field, dsn, err := cfg.address(section)
	if err != nil {
		return nil, err
	}
	options, err := parseAddress(field, dsn)
	if err != nil {
		return nil, err
	}
	// Opening sends nothing: Migrate may still have to create the database.
	options.Auth.Database = cfg.Database
	options.MaxOpenConns = cfg.MaxConnections
	options.MaxIdleConns = cfg.MaxConnections
	options.ReadTimeout = 5 * time.Minute
	options.Compression = &clickhouse.Compression{Method: clickhouse.CompressionNone}
	if cfg.Cluster != "" {
		// Rows of one prediction may be on several shards: what is joined with a
		// Distributed table must be of all of them. Subqueries after IN say GLOBAL
		// themselves, since ClickHouse refuses one within another otherwise.
		options.Settings = clickhouse.Settings{"distributed_product_mode": "global"}
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		return nil, fmt.Errorf("open clickhouse: %w", err)
	}
	return &DB{cfg: cfg, conn: conn, at: section, hosts: len(options.Addr)}, nil
}

// Conn returns the connection for readers. Names that producers chose may reach
// a query only as parameters.
func (db *DB) Conn() driver.Conn { return db.conn }

// Database returns the name of the database that holds the tables.
func (db *DB) Database() string { return db.cfg.Database }

// DedupWindow returns the configured deduplication window, in inserts x
// partitions per table.
func (db *DB) DedupWindow() int { return db.cfg.DedupWindow }

// Close releases the connections.
func (db *DB) Close() error {
	err := db.conn.Close()
	for _, shard := range db.shards {
		if shard != db {
			err = errors.Join(err, shard.Close())
		}
	}
	return err
}

// Insert stores one Arrow record in a table with a single INSERT statement
// under the deduplication token. The record's columns must be a subset of
// ArrowSchema(table), by name: ClickHouse drops unknown Arrow columns without a
// word, so a record with one is refused here.
func (db *DB) Insert(ctx context.Context, table plumbline.TableName, token string, rec arrow.Record) error {
	return db.InsertIn(ctx, Session{}, table, token, rec)
}

// InsertIn is Insert in a session, which may be none.
func (db *DB) InsertIn(ctx context.Context, session Session, table plumbline.TableName, token string, rec arrow.Record) error {
	if rec.NumRows() == 0 {
		return nil
	}
	t, err := declared(table)
	if err != nil {
		return err
	}
	schema, err := arrowSchema(t)
	if err != nil {
		return err
	}
	names := make([]string, 0, rec.NumCols())
	for _, field := range rec.Schema().Fields() {
		if !schema.HasField(field.Name) {
			return fmt.Errorf("insert into %s: column %q is not declared", table, field.Name)
		}
		names = append(names, quoteIdentifier(field.Name))
	}
	body, err := NewBody(rec)
	if err != nil {
		return fmt.Errorf("insert into %s: encode Arrow: %w", table, err)
	}
	defer body.Close() // after an error the transport may still be reading it
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(session.In(db.Durably(clickhouse.Settings{
		"async_insert":               0,
		"insert_deduplication_token": token,
		// Says in system.processes whose insert is running: ingest waits for it
		// before it looks what is stored.
		"log_comment": token,
		// A statement must stay one block, or a retry would be deduplicated
		// piecemeal.
		"max_insert_block_size":                    1 << 20,
		"optimize_on_insert":                       mergedOnInsert(t),
		"input_format_arrow_allow_missing_columns": 1,
	}))))
	query := "INSERT INTO " + db.qualified(table) + " (" + strings.Join(names, ", ") + ")"
	if err := db.conn.InsertFormat(ctx, "ArrowStream", query, body); err != nil {
		return fmt.Errorf("insert %d rows into %s: %w", rec.NumRows(), table, err)
	}
	return nil
}

// mergedOnInsert says whether ClickHouse looks in each statement for rows of one
// key. Not where they are summed: ingest has folded those, what is left is merged
// in the background or when it is read, and looking costs more than all else of a
// histogram's way in.
func mergedOnInsert(t plumbline.Table) int {
	if t.Engine == "AggregatingMergeTree" {
		return 0
	}
	return 1
}

func (db *DB) qualified(table plumbline.TableName) string {
	return quoteIdentifier(db.cfg.Database) + "." + quoteIdentifier(db.Local(table))
}

// quoteIdentifier is the one place where an identifier enters SQL text.
func quoteIdentifier(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}
