package fetch

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// The reasons for which a batch cannot be read. They do not heal by asking
// again, except for ErrCorrupt if the damage was done on the way.
var (
	// ErrCorrupt is a batch whose checksum, compression or structure is wrong.
	ErrCorrupt = errors.New("corrupt record batch")
	// ErrLegacy is a message set of format 0 or 1, which brokers before 0.11
	// wrote. It has no headers, no transactions and another checksum.
	ErrLegacy = errors.New("message format older than record batches (v2); set log.message.format.version to 0.11 or later and rewrite the topic")
	// ErrTooLarge is a batch larger than Config.MaxBatchBytes, as sent or
	// decompressed.
	ErrTooLarge = errors.New("record batch larger than max_batch_bytes")
	// ErrUnsupported is a broker that lacks what this package needs, or asks for
	// something it does not do.
	ErrUnsupported = errors.New("unsupported by this client")
)

// Error is a failed fetch. What a broker answered is found with
// errors.Is(err, kafka.OffsetOutOfRange), kafka.UnknownTopicOrPartition and the
// like; what a batch suffered from with the package's own errors. A failed
// connection is a net.Error or io.EOF in the chain.
type Error struct {
	Topic     string
	Partition int
	// Offset is where the fetch began or, for a batch that cannot be read, the
	// first offset that was not delivered.
	Offset int64
	Err    error
}

func (e *Error) Error() string {
	return fmt.Sprintf("fetch %s/%d at %d: %v", e.Topic, e.Partition, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// moved reports whether the broker says that it is not, or no longer, the one
// to ask.
func moved(err error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.ReplicaNotAvailable,
		kafka.UnknownTopicOrPartition, kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.KafkaStorageError:
		return true
	default:
		return false
	}
}
