package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Shard is one server to which ingest writes.
type Shard struct {
	// Name is what offset commits call the shard: it must stay the same while
	// the address may change.
	Name string `yaml:"name"`
	// DSN or DSNFile is its address, written as the one of all.
	DSN     string `yaml:"dsn"`
	DSNFile string `yaml:"dsn_file"`
}

// Embedded reports whether no ClickHouse is named, so that the embedded engine
// is used.
func (c Config) Embedded() bool { return !c.hasAddress() && len(c.Shards) == 0 }

func (c Config) hasAddress() bool { return c.DSN != "" || c.DSNFile != "" }

func (c Config) validateShards() error {
	var errs []error
	seen := map[string]bool{}
	for i, s := range c.Shards {
		if !identifier.MatchString(s.Name) || seen[s.Name] {
			errs = append(errs, fmt.Errorf("clickhouse.shards[%d].name: %q is not a unique identifier; use letters, digits and _", i, s.Name))
		}
		if (s.DSN == "") == (s.DSNFile == "") {
			errs = append(errs, fmt.Errorf("clickhouse.shards[%d]: set either dsn or dsn_file", i))
		}
		seen[s.Name] = true
	}
	return errors.Join(errs...)
}

// connectShards opens the configured shards.
func connectShards(cfg Config) ([]*DB, error) {
	var shards []*DB
	for i, s := range cfg.Shards {
		one := cfg
		one.DSN, one.DSNFile, one.Shards = s.DSN, s.DSNFile, nil
		db, err := connect(one, shardSection(i))
		if err != nil {
			for _, open := range shards {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		db.shard, db.shards = s.Name, []*DB{db}
		shards = append(shards, db)
	}
	return shards, nil
}

// Shards returns the databases to which ingest writes: the configured shards,
// or the DB itself.
func (db *DB) Shards() []*DB { return db.shards }

// Derived returns the database into which is written what is computed from
// everything that is stored: outcomes, findings, notices. Their rows replace each
// other, so on a cluster they are all on the first shard; readers find them
// through the Distributed tables.
func (db *DB) Derived() *DB {
	if db.cfg.Cluster == "" {
		return db
	}
	return db.shards[0]
}

// Shard returns the name of a shard; a DB that is the only one has none.
func (db *DB) Shard() string { return db.shard }

// Local returns the name of the table that holds the rows on this server. On a
// cluster that is not the declared one, which is a Distributed table.
func (db *DB) Local(table plumbline.TableName) string { return db.cfg.local(table) }

func (c Config) local(table plumbline.TableName) string {
	if c.Cluster == "" {
		return string(table)
	}
	return string(table) + "_local"
}

// OnCluster is the clause, with a space before it, that makes a statement about
// local tables reach every server of the cluster; empty without one.
func (db *DB) OnCluster() string { return db.cfg.onCluster() }

// SystemTable is what to read a table of the database system from, on a cluster as
// all of its servers have it.
func (db *DB) SystemTable(name string) string {
	if db.cfg.Cluster == "" {
		return "system." + name
	}
	return "clusterAllReplicas('" + db.cfg.Cluster + "', system." + name + ")"
}

// Durably adds to the settings of a statement that writes rows what makes its
// acknowledgement count on a cluster: more than one replica must have them, for
// what is acknowledged is committed in Kafka and never sent again. The quorum
// stays a parallel one. The other kind, insert_quorum_parallel=0, lets one
// insert into a table go on at a time and fails the others, and every Kafka
// partition of a shard inserts into the same tables.
func (db *DB) Durably(settings clickhouse.Settings) clickhouse.Settings {
	if db.cfg.Cluster == "" {
		return settings
	}
	with := maps.Clone(settings)
	with["insert_quorum"] = db.cfg.InsertQuorum
	return with
}

// Sync waits until this replica has fetched every part of the tables that was
// acknowledged by any: a look that decides whether rows are inserted again must
// not miss them. select_sequential_consistency would not do: ClickHouse refuses
// it a meaning while quorum inserts are parallel, see Durably. Without a cluster
// there is nothing to wait for.
func (db *DB) Sync(ctx context.Context, tables ...plumbline.TableName) error {
	if db.cfg.Cluster == "" {
		return nil
	}
	for _, table := range tables {
		if err := db.conn.Exec(ctx, "SYSTEM SYNC REPLICA "+db.qualified(table)+" LIGHTWEIGHT"); err != nil {
			return fmt.Errorf("sync replica of %s: %w", table, err)
		}
	}
	return nil
}
