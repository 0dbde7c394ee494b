// Package rows reads raw predictions of a window, at most as many as asked for,
// as columns: what a peer's dialect and a classifier between two windows are
// computed from.
//
// It is read on demand, by a person who waits. The rows it takes of a larger
// window are those whose prediction_id has the least hash, so that the same
// question has the same rows, and a Table says how many there were. Nothing
// that pages, tickets or runs by itself may read it: those read rollups.
package rows
