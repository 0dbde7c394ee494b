// Package demo shows the whole path on real flights: it starts the service with
// the configuration of examples/flights, sends fourteen days of flights and
// their labels through Kafka, deploys a version that sends metres for miles,
// and waits for the page. It is the first thing a new user runs and the first
// thing that breaks, so it checks what it shows against the batch oracle of the
// flights and fails loudly.
//
// It may import everything; only the command imports it.
package demo
