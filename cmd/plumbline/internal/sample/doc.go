// Package sample reads sample events of a producer and says what the service
// understands of each, what it would refuse and why, and what looks unintended
// though it is allowed. It decodes with ingest/decode, so that it cannot
// disagree with ingest; its hints are its own and refuse nothing. It knows
// neither Kafka nor tables.
package sample
