// Package ingesthttp takes events over HTTP from producers that have no Kafka
// client and produces them to the topics that ingest reads, so that from there
// on they are stored exactly once like any other.
//
//	POST /api/v1/predictions
//	POST /api/v1/labels
//	POST /api/v1/deployments
//	POST /api/v1/kpis
//
// A body is JSON lines (application/x-ndjson or application/jsonl: one event a
// line, blank lines are skipped) or JSON (application/json: one object, or an
// array of objects), in UTF-8, optionally with Content-Encoding: gzip. Events
// are those of docs/events.schema.json. The request needs Authorization: Bearer
// with a token of http_ingest.token_file; without that setting the addresses
// answer 404, never openly. TLS is the web server's (web.config_file); basic
// auth there takes the same header, so only client certificates go with tokens.
//
// A body may also be an Arrow IPC stream (application/vnd.apache.arrow.stream,
// with the columns of docs/formats.md), if ingest.sources has a topic of format
// arrow for that kind of events. Its good rows go there as streams that each fit
// a record, with the key of their first row; answers name a row by its number,
// without a line. A topic has one format, so without such a topic the answer is
// 415.
//
// Every event is checked by the decoder that ingest uses, under the same limits,
// so that a mistake is answered at once, with its line, field, reason and what
// to do. A request is not all or nothing: good events beside bad ones are
// produced, and the answer names each bad one. Nothing is dropped in silence,
// and a bad event leaves no dead letter, for its sender has been told.
//
//	202  Kafka has acknowledged (acks=all) every event that is not in "rejected"
//	400  no event was good, or the body cannot be read
//	401  no token, or a wrong one
//	405  not POST
//	408  the body came too slowly
//	413  the body, or the number of its events, is over the limit; send it in parts
//	415  another media type or encoding, or one that no topic takes
//	429  too much is under way; nothing was taken, Retry-After says when to repeat
//	503  Kafka has not acknowledged the events in "unacknowledged": they may be
//	     stored or not. Send those again after Retry-After; "accepted" counts the others
//
// The identity of an event is its prediction_id, so an Idempotency-Key header is
// not needed and not read: an event that is sent twice counts as two deliveries
// in volume and budgets, and once in quality. The key of a JSON event is the
// prediction_id (of a deployment or a KPI: the model), placed as Java's and librdkafka's
// consistent murmur2 place it; its timestamp is the moment the request was
// checked, which is when the event became known.
//
// The package imports the decoders and Kafka; it may not know tables, and it
// writes nowhere but to Kafka.
package ingesthttp
