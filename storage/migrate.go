package storage

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Migrate creates the database and every declared table, adds declared columns and
// indices that a table lacks, builds projections again that are declared otherwise,
// brings codecs, retention and the deduplication window to the declared and
// configured values, and creates every declared view anew. Stored parts keep
// their codecs until they are merged, and a table its index granularity for ever.
// It drops tables that were computed and that
// others have replaced. It never drops or retypes a column: a column of another type is an error that
// names it, and so is another order of rows by which they merge. Running it again changes nothing.
// Shards that no cluster joins are migrated one by one, others ON CLUSTER.
func (db *DB) Migrate(ctx context.Context) error {
	if err := db.migrate(ctx); err != nil {
		return err
	}
	for _, shard := range db.shards {
		if shard == db || db.cfg.Cluster != "" {
			continue
		}
		if err := shard.migrate(ctx); err != nil {
			return fmt.Errorf("shard %s: %w", shard.shard, err)
		}
	}
	return nil
}

func (db *DB) migrate(ctx context.Context) error {
	if err := db.createDatabase(ctx); err != nil {
		return err
	}
	for _, t := range plumbline.Tables() {
		if err := db.conn.Exec(ctx, db.cfg.createTable(t)); err != nil {
			return fmt.Errorf("create table %s: %w", t.Name, err)
		}
		if err := db.reconcile(ctx, t, db.Local(t.Name)); err != nil {
			return err
		}
		if err := db.reconcileOptions(ctx, t); err != nil {
			return err
		}
		if db.cfg.Cluster == "" {
			continue
		}
		if err := db.conn.Exec(ctx, db.cfg.createDistributed(t)); err != nil {
			return fmt.Errorf("create distributed table %s: %w", t.Name, err)
		}
		if err := db.reconcile(ctx, t, string(t.Name)); err != nil {
			return err
		}
	}
	for _, t := range plumbline.FormerTables() {
		if err := db.dropFormer(ctx, t); err != nil {
			return err
		}
	}
	for _, v := range plumbline.Views() {
		ddl := "CREATE OR REPLACE VIEW " + quoteIdentifier(db.cfg.Database) + "." + quoteIdentifier(string(v.Name)) + db.cfg.onCluster() + " AS " + v.SQL
		if err := db.conn.Exec(ctx, ddl); err != nil {
			return fmt.Errorf("create view %s: %w", v.Name, err)
		}
	}
	return nil
}

// dropFormer drops a table of a version before, on a cluster with the one that it
// stands for.
func (db *DB) dropFormer(ctx context.Context, t plumbline.TableName) error {
	names := []string{string(t)}
	if db.cfg.Cluster != "" {
		names = append(names, db.Local(t))
	}
	// A server refuses to drop what is large, for fear of a slip of the hand.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_table_size_to_drop": 0}))
	for _, name := range names {
		drop := "DROP TABLE IF EXISTS " + quoteIdentifier(db.cfg.Database) + "." + quoteIdentifier(name) + db.cfg.onCluster() + " SYNC"
		if err := db.conn.Exec(ctx, drop); err != nil {
			return fmt.Errorf("drop table %s of a version before: %w", name, err)
		}
	}
	return nil
}

// createDatabase uses a connection of its own: that of db names a database that
// may not exist yet.
func (db *DB) createDatabase(ctx context.Context) error {
	field, dsn, err := db.cfg.address(db.at)
	if err != nil {
		return err
	}
	options, err := parseAddress(field, dsn)
	if err != nil {
		return err
	}
	options.Auth.Database = "default"
	conn, err := clickhouse.Open(options)
	if err != nil {
		return fmt.Errorf("open clickhouse: %w", err)
	}
	ddl := "CREATE DATABASE IF NOT EXISTS " + quoteIdentifier(db.cfg.Database) + db.cfg.onCluster()
	if err := conn.Exec(ctx, ddl); err != nil {
		return errors.Join(refused("create database "+db.cfg.Database, field, options, err), conn.Close())
	}
	return conn.Close()
}

// outcomesHeld is the column of outcomes that came with those that tell which
// label counted before and since.
const outcomesHeld = "held"

// reconcile compares the columns of a table as it stands under a name with its
// declaration.
func (db *DB) reconcile(ctx context.Context, t plumbline.Table, name string) error {
	have, err := db.columnsOf(ctx, name)
	if err != nil {
		return err
	}
	for _, c := range t.Columns {
		switch is, ok := have[c.Name]; {
		case !ok:
			if t.Name == plumbline.TableOutcomes && c.Name == outcomesHeld {
				// Rows of the version before say nothing of the labels that held: the
				// join computes them again from what raw rows there are. First, so
				// that a migration that is cut short does not forget it.
				if err := db.conn.Exec(ctx, "TRUNCATE TABLE IF EXISTS "+db.qualified(plumbline.TableJoinCursor)+db.cfg.onCluster()); err != nil {
					return fmt.Errorf("begin the join anew: %w", err)
				}
			}
			add := fmt.Sprintf("ALTER TABLE %s.%s%s ADD COLUMN IF NOT EXISTS %s", quoteIdentifier(db.cfg.Database), quoteIdentifier(name), db.cfg.onCluster(), columnDDL(c))
			if err := db.conn.Exec(ctx, add); err != nil {
				return fmt.Errorf("add column %s.%s: %w", name, c.Name, err)
			}
		case is.typ != string(c.Type):
			return fmt.Errorf("column %s.%s is %s in the database and %s in this version: move the table aside and start again", name, c.Name, is.typ, c.Type)
		case name == db.Local(t.Name) && is.codec != c.Codec:
			change := " CODEC(" + c.Codec + ")"
			if c.Codec == "" {
				change = " REMOVE CODEC"
			}
			if err := db.conn.Exec(ctx, "ALTER TABLE "+db.qualified(t.Name)+db.cfg.onCluster()+" MODIFY COLUMN "+quoteIdentifier(c.Name)+change); err != nil {
				return fmt.Errorf("change codec of %s.%s: %w", name, c.Name, err)
			}
		}
	}
	return nil
}

// reconcileProjections drops projections that are not as they are declared and
// adds those that are missing. Stored parts get theirs in the background; until
// then, and if that is cut short, they are read without one.
func (db *DB) reconcileProjections(ctx context.Context, t plumbline.Table, ddl string) error {
	for _, clause := range t.Extra {
		declaration, ok := strings.CutPrefix(clause, "PROJECTION ")
		if !ok || strings.Contains(ddl, clause) {
			continue
		}
		name, _, _ := strings.Cut(declaration, " ")
		alter := "ALTER TABLE " + db.qualified(t.Name) + db.cfg.onCluster()
		statements := []string{alter + " ADD PROJECTION IF NOT EXISTS " + declaration, alter + " MATERIALIZE PROJECTION " + name}
		if strings.Contains(ddl, "PROJECTION "+name+" ") {
			// A part must have lost the old one before one of that name is added.
			statements = append([]string{alter + " DROP PROJECTION IF EXISTS " + name + " SETTINGS mutations_sync = 2"}, statements...)
		}
		for _, s := range statements {
			if err := db.conn.Exec(ctx, s); err != nil {
				return fmt.Errorf("change projection %s of %s: %w", name, t.Name, err)
			}
		}
	}
	return nil
}

// reconcileIndices adds the indices that a table lacks. As with projections, stored
// parts get theirs in the background, and are read without one until then.
func (db *DB) reconcileIndices(ctx context.Context, t plumbline.Table, ddl string) error {
	for _, clause := range t.Extra {
		declaration, ok := strings.CutPrefix(clause, "INDEX ")
		name, _, _ := strings.Cut(declaration, " ")
		if !ok || strings.Contains(ddl, "INDEX "+name+" ") {
			continue
		}
		alter := "ALTER TABLE " + db.qualified(t.Name) + db.cfg.onCluster()
		for _, s := range []string{alter + " ADD INDEX IF NOT EXISTS " + declaration, alter + " MATERIALIZE INDEX " + name} {
			if err := db.conn.Exec(ctx, s); err != nil {
				return fmt.Errorf("add index %s of %s: %w", name, t.Name, err)
			}
		}
	}
	return nil
}

// columnNames finds the names in a list of columns, however it is quoted.
var columnNames = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// checkOrder refuses a table whose rows would merge by another key than is declared:
// they would add up, or replace each other, where they must not.
func checkOrder(t plumbline.Table, sorted string) error {
	if t.Engine == "MergeTree" || t.SearchBy != "" {
		return nil // its rows do not merge, or ClickHouse spells the expression its own way
	}
	if !slices.Equal(columnNames.FindAllString(sorted, -1), columnNames.FindAllString(t.OrderBy, -1)) {
		return fmt.Errorf("table %s is sorted by (%s) in the database and by (%s) in this version: move the table aside and start again", t.Name, sorted, t.OrderBy)
	}
	return nil
}

// reconcileOptions alters indices, projections, retention and settings only where they
// differ: such an ALTER rewrites parts.
func (db *DB) reconcileOptions(ctx context.Context, t plumbline.Table) error {
	var ddl, sorted string
	row := db.conn.QueryRow(ctx, "SELECT create_table_query, sorting_key FROM system.tables WHERE database = {database:String} AND name = {table:String}",
		clickhouse.Named("database", db.cfg.Database), clickhouse.Named("table", db.Local(t.Name)))
	if err := row.Scan(&ddl, &sorted); err != nil {
		return fmt.Errorf("read definition of %s: %w", t.Name, err)
	}
	if err := checkOrder(t, sorted); err != nil {
		return err
	}
	if err := db.reconcileIndices(ctx, t, ddl); err != nil {
		return err
	}
	if err := db.reconcileProjections(ctx, t, ddl); err != nil {
		return err
	}
	for _, setting := range db.cfg.settings(t) {
		if strings.Contains(ddl, setting+",") || strings.Contains(ddl, setting+" ") || strings.HasSuffix(ddl, setting) || strings.HasPrefix(setting, "index_granularity") {
			continue // the granularity of a table that exists cannot be changed
		}
		if err := db.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s%s MODIFY SETTING %s", db.qualified(t.Name), db.cfg.onCluster(), setting)); err != nil {
			return fmt.Errorf("set %s of %s: %w", setting, t.Name, err)
		}
	}
	age := int(db.cfg.Retention.of(t.Level) / day)
	if ttl := db.cfg.ttl(t); ttl != "" && !strings.Contains(ddl, fmt.Sprintf("toIntervalDay(%d)", age)) {
		if err := db.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s%s MODIFY TTL %s", db.qualified(t.Name), db.cfg.onCluster(), ttl)); err != nil {
			return fmt.Errorf("set retention of %s: %w", t.Name, err)
		}
	}
	return nil
}

// stored is a column as it stands in the database.
type stored struct{ typ, codec string }

// width is what ClickHouse adds to the name of a codec that depends on the type.
var width = regexp.MustCompile(`Delta\(\d+\)`)

func (db *DB) columnsOf(ctx context.Context, table string) (map[string]stored, error) {
	rows, err := db.conn.Query(ctx, "SELECT name, type, compression_codec FROM system.columns WHERE database = {database:String} AND table = {table:String}",
		clickhouse.Named("database", db.cfg.Database), clickhouse.Named("table", table))
	if err != nil {
		return nil, fmt.Errorf("read columns of %s: %w", table, err)
	}
	defer rows.Close()
	columns := make(map[string]stored)
	for rows.Next() {
		var name, typ, codec string
		if err := rows.Scan(&name, &typ, &codec); err != nil {
			return nil, fmt.Errorf("read columns of %s: %w", table, err)
		}
		codec = strings.TrimSuffix(strings.TrimPrefix(codec, "CODEC("), ")")
		columns[name] = stored{typ, width.ReplaceAllString(codec, "Delta")}
	}
	return columns, rows.Err()
}
