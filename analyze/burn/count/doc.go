// Package count counts the good and all events of service level indicators by
// minute of event time, and keeps them in the table sli: what burn rates are
// computed from without reading a histogram or an event.
//
// Counter follows the batches that ingest completes: a minute in which a batch
// has events is counted anew, as a whole and from the exact values, and replaces
// what was counted before (docs/decisions/0018). Killed anywhere it counts again
// and gets the same rows. Reader sums the counts over windows.
//
// The package never decides what burns; package burn does.
package count
