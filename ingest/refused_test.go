package ingest

import (
	"errors"
	"net"
	"testing"

	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// A refused certificate comes as an error of the network, which is tried again
// for ever; the broker's "no" parks the partition and tells people.
func TestARefusedFetchParks(t *testing.T) {
	w := &worker{i: &Ingester{}}
	refused := &dial.Error{Broker: "a:1", Refused: true, Err: &net.OpError{Op: "remote error", Err: errors.New("bad certificate")}}
	if _, parks := parkCause(w.fetchError(t.Context(), refused, maxFetchFailures)); !parks {
		t.Error("a refused connection does not park")
	}
}
