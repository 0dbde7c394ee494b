// Package erase takes a person's rows out of ClickHouse: predictions, labels and
// outcomes, by prediction_id, or by a feature that names the person. It is what
// `plumbline erase` runs.
//
// Only rows of batches that are recorded complete are erased. Ingest finishes a
// batch that is under way by counting its rows, and one whose rows have become
// fewer is a contradiction that parks its partition. What is left is counted, for
// a second run.
//
// What was counted stays counted: rollups hold no identifier, and the changes
// that a person's labels made to outcomes stay as rows that bear the Kafka
// position of a label in the place of the identifier, so that burn rates are
// what they were. The table erasures says how many rows have gone from which
// hours, and never whose: `rollup verify` refuses these hours.
//
// The package reads and writes ClickHouse only; it does not know Kafka, where a
// person's events remain until the topics' retention ends. Identifiers reach SQL
// as parameters and are never logged.
package erase
