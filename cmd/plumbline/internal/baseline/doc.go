// Package baseline imports a training set: rows of a file or of a SELECT become
// prediction events of the stage `training`, produced to the topics the service
// consumes, so that the reference of a drift is counted by the same code as the
// traffic (docs/decisions/0005).
//
// A file is read twice. The first pass finds every wrong value, and says which
// numbers the grid does not resolve, before anything is sent. The second sends.
//
// Rollups count deliveries, so a row may be produced once only. The offsets of
// a consumer group named after the content and the model hold how far the
// import came: rows before the committed one are in, the rest is sought in the
// topic behind the committed offsets before it is produced. kafka-go never
// tries again by itself here.
//
// The package writes no table and decides nothing about drift.
package baseline
