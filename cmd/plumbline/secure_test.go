package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/testenv/securekafka"
)

// secure is `secure DIR`: it starts a Kafka that wants TLS on both sides and
// SCRAM-SHA-512, sets KAFKA to its address, and fills DIR with what a client
// needs. produce speaks to it from then on.
func secure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: secure DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	k, err := securekafka.Start(dir, securekafka.Options{TLS: true, ClientCertificate: true, Mechanism: string(dial.SCRAM512), Topics: []string{"letters"}})
	ts.Check(err)
	ts.Defer(k.Close)
	ts.Setenv("KAFKA", k.Address)
	ts.Setenv("KAFKA_SECRETS", dir)
}

// transport connects a script's producer: in the way of secure, if that is
// where the Kafka is from.
func transport(ts *testscript.TestScript) *kafka.Transport {
	dir := ts.Getenv("KAFKA_SECRETS")
	if dir == "" {
		return (*dial.Dialer)(nil).Transport("script")
	}
	file := func(name string) string { return dir + "/" + name }
	d, err := dial.New(dial.Config{
		TLS:  dial.TLS{Enabled: true, CAFile: file("ca.pem"), CertFile: file("client.pem"), KeyFile: file("client.key")},
		SASL: dial.SASL{Mechanism: dial.SCRAM512, Username: securekafka.User, PasswordFile: file("password")},
	})
	ts.Check(err)
	return d.Transport("script")
}
