// Package dial opens connections to Kafka: TCP, then TLS, then SASL, under one
// deadline, and says which broker refused what and where to look.
//
// Every Kafka client of Plumbline connects through it: kafka-go's Transport and
// Dialer and package fetch take a function that dials, and get a connection
// that is encrypted and authenticated already. kafka-go's own TLS and SASL are
// not used: its Transport authenticates without a deadline, its errors do not
// name the broker, and there would be three places to configure.
//
// Every file of the configuration is read for every connection, so that a
// rotated certificate or password needs no restart. There is no way to leave
// out the verification of a broker's certificate.
//
// It does not authenticate a connection again: a broker that sets
// connections.max.reauth.ms ends each one when its time is up, and the client
// opens another, as after any lost connection.
//
// The package imports kafka-go and the standard library, and of ours only secrets.
package dial
