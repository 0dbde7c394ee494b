// Package storage is ClickHouse as Plumbline uses it: the schema that the root
// package declares, created and extended by Migrate; Arrow batches inserted
// under a deduplication token; and the connection that typed readers query.
//
// It speaks ClickHouse's HTTP interface through clickhouse-go, so the embedded
// engine (storage/engine) and any server from 24.8 on are one code path.
//
// A DB has shards, of which it may be the only one itself: a writer that must
// know where its rows are asks for them, writes to their local tables, and can
// have its statements fenced by a session. On a cluster readers get Distributed
// tables under the plain names.
//
// storage knows tables, not meanings: it may import the root package and
// storage/grid, and nothing else of ours.
package storage
