// Package peers answers a question about drift in a peer's dialect, for the
// command line: it turns raw rows into the columns that package dialect takes,
// and prints what the peer would have printed, beside what Plumbline says of
// the same windows. It stores nothing and alarms nobody.
package peers
