// Package labels replays weeks of predictions whose labels come an hour to two
// weeks late, out of order, repeated, corrected, withdrawn, early, for no
// prediction and for that of another model, into ClickHouse, while processes that
// join them are killed at random; and computes by definition what the join must
// have made of it. It is for tests and for the commands below cmd.
//
// It writes raw rows and batches as ingest does and takes nothing from package
// join but Run, Step and Verify: the oracle is its own.
package labels
