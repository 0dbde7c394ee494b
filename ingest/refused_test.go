package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/segmentio/kafka-go"

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

// A dead letter that is refused for who we are or for what it is parks; one that
// an outage keeps back is sent again.
func TestWhichLettersAreSentAgain(t *testing.T) {
	for err, again := range map[error]bool{
		kafka.TopicAuthorizationFailed: false, kafka.ClusterAuthorizationFailed: false, kafka.MessageSizeTooLarge: false,
		kafka.InvalidTopic: false, kafka.InvalidRequiredAcks: false,
		kafka.NotLeaderForPartition: true, kafka.NotEnoughReplicas: true, kafka.RequestTimedOut: true, kafka.UnknownTopicOrPartition: true,
		context.DeadlineExceeded: true, io.EOF: true,
	} {
		if got := letterAgain(fmt.Errorf("produce: %w", err)); got != again {
			t.Errorf("%v again: %t", err, got)
		}
	}
	if letterAgain(&dial.Error{Refused: true, Err: errors.New("no")}) || letterAgain(park("no key")) {
		t.Error("what nobody mends is sent again")
	}
}
