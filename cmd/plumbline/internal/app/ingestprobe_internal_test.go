package app

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
)

// oneTopic is a Kafka that says of topic t, with one empty partition, or of that
// partition, that something is wrong.
type oneTopic struct{ topic, partition kafka.Error }

func (k *oneTopic) RoundTrip(_ context.Context, _ net.Addr, r kafka.Request) (kafka.Response, error) {
	switch r.(type) {
	case *metadata.Request:
		topic := metadata.ResponseTopic{Name: "t", ErrorCode: int16(k.topic)}
		if k.topic == 0 {
			topic.Partitions = []metadata.ResponsePartition{{PartitionIndex: 0}}
		}
		return &metadata.Response{Topics: []metadata.ResponseTopic{topic}}, nil
	case *listoffsets.Request:
		return &listoffsets.Response{Topics: []listoffsets.ResponseTopic{{Topic: "t", Partitions: []listoffsets.ResponsePartition{
			{Partition: 0, ErrorCode: int16(k.partition), Timestamp: kafka.LastOffset},
		}}}}, nil
	}
	return &offsetfetch.Response{Topics: []offsetfetch.ResponseTopic{{Name: "t", Partitions: []offsetfetch.ResponsePartition{{}}}}}, nil
}

// A topic that was deleted, or may not be seen any more, is not read; one that nobody
// has made yet holds nothing that waits.
func TestATopicThatIsGoneIsBlindness(t *testing.T) {
	at := &oneTopic{}
	p := &ingestProbe{
		client: &kafka.Client{Addr: kafka.TCP("nowhere:1"), Transport: at}, topics: []string{"t"},
		explained: func(string) bool { return false }, seen: make(map[partitionKey]progress),
	}
	for _, test := range []struct {
		name string
		says oneTopic
		sees bool
	}{
		{"not there yet", oneTopic{topic: kafka.UnknownTopicOrPartition}, true},
		{"not allowed", oneTopic{topic: kafka.TopicAuthorizationFailed}, false},
		{"empty", oneTopic{}, true},
		{"without a leader", oneTopic{partition: kafka.NotLeaderForPartition}, false},
		{"deleted", oneTopic{topic: kafka.UnknownTopicOrPartition}, false},
	} {
		*at = test.says
		if lag, _, err := p.lag(t.Context(), time.Now()); (err == nil) != test.sees || lag != 0 {
			t.Errorf("%s: %s, %v", test.name, lag, err)
		}
	}
}
