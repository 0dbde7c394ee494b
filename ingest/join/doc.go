// Package join brings labels to the predictions they are about: hours or weeks
// late, in any order, repeated, corrected, withdrawn, or before the prediction.
//
// It is a stage of its own, not part of the Kafka hot path. It follows what the
// table batches says is stored, and for every id that something new is about it
// computes the id's whole history again from the append-only raw rows: which
// delivery of the prediction counts (the one known first), and what each label
// changed when it became known. Those changes are rows of outcomes; summed by
// the prediction's minute and the hour of knowing they are outcome_cells, and
// the state as known at any hour is the sum of the cells known by then.
// outcome_hours counts them by hour, predicted and true class, with scores, losses
// and errors.
//
// Rows replace their former version, and a version is the number of source rows
// it was computed from, which only grows. So a step that is killed anywhere is
// repeated and gets the same rows, and two processes may join at once: who saw
// less never wins. docs/decisions/0004 has the argument. Keys that one of them wrote
// in vain are taken back by whoever looks last, see mend. Processes that run at
// once share the topic partitions by the table join_members, to save work and for
// nothing else.
//
// Predictions of a touched id are looked up by days_by_id, and whether it has labels
// besides the new ones by labels_by_id, which the join itself brings up to what is
// stored before it follows anything. docs/decisions/0021 has the argument, and what a
// look-up costs.
//
// Labels that belong to no prediction, to one of another model or to one that has
// expired are counted, and listed by the view unmatched_labels.
//
// The package reads and writes ClickHouse only. It never touches Kafka, never
// holds state that the tables do not have, and knows nothing of quality or
// budgets: it counts.
package join
