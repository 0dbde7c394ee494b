// Package privacy keeps personal data out of what is stored: by feature it drops
// a value, replaces it by a keyed hash or cuts it, it stores the raw rows of a
// sample of the predictions only, and it seals dead letters, whose values no rule
// by feature can reach.
//
// It works on the columns of a batch between decoding and counting, so raw rows
// and rollups hold the same. What it makes of an event depends on the event's
// Kafka timestamp and the configuration alone, never on the clock: a batch that
// is stored again after a crash must come out the same. The configuration's
// Identity is part of the plan hash.
//
// The package reads no table and writes none.
package privacy
