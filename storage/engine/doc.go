// Package engine runs a ClickHouse that needs no server: libchdb, loaded with
// purego into a supervised child process of the same binary, which speaks the
// ClickHouse HTTP interface on loopback. clickhouse-go, curl, Grafana and
// Python clients use it as they would use a server.
//
// The engine lives in a child because a native library can crash, and because
// one process can hold only one data directory. The parent owns the data
// directory's lock and the listening socket, so an address stays the same
// over restarts of the child and clients wait instead of being refused.
//
// The life of a start: [Engine.Run] takes the lock, reads or makes the
// passwords, listens, and starts the child. The child loads the library, backs
// the data directory up if the engine's version changed, opens it, and reports
// ready. The child ends when its standard input ends, that is, with its parent.
//
// A binary that runs an engine must call [RunChildIfRequested] first thing in
// main, and a test binary in TestMain, because the child is that same binary.
//
// The package may not import any other package of this module but the root,
// and knows nothing of Plumbline's tables.
package engine
