// Package flights replays real US flights of 2001 as the traffic of a served
// model: the demo's input. It reads the flights, trains the model, breaks the
// second version's feature pipeline, and yields the events of training,
// predictions, labels and deployments in the order in which they would have
// become known, with the clock moved so that an instant near the end of the
// data is now.
//
// It also holds the batch oracle the demo is checked against: what a monitor
// that saw every event should have counted, computed from the arrays without
// Kafka or a database.
//
// It may import the root package and the Parquet reader; it may not talk to
// Kafka, to ClickHouse or to any other part of Plumbline.
package flights
