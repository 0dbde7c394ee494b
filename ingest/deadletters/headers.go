package deadletters

// Headers of a dead letter under Kafka Connect's names, so that its tools read
// them. Partition and offset are decimal numbers.
const (
	connectPrefix   = "__connect.errors."
	HeaderTopic     = connectPrefix + "topic"
	HeaderPartition = connectPrefix + "partition"
	HeaderOffset    = connectPrefix + "offset"
	HeaderStage     = connectPrefix + "stage"
	HeaderClass     = connectPrefix + "exception.class.name"
	HeaderMessage   = connectPrefix + "exception.message"
)

// Headers of a dead letter that are ours.
const (
	// HeaderSize is the size of the whole value in bytes, where it was cut.
	HeaderSize = "plumbline.value.bytes"
	// HeaderCut says what of the record the letter does not hold whole: some of
	// value, key and headers, with commas between.
	HeaderCut = "plumbline.cut"
	// HeaderTime is the refused record's Kafka timestamp in Unix milliseconds,
	// which a replay gives back to it. The letter itself bears the time of the
	// refusal, from which its retention counts.
	HeaderTime = "plumbline.timestamp"
	// HeaderEvent is the place, from 0, of the refused event in a record that
	// carries several; the letter's value is that event alone.
	HeaderEvent = "plumbline.event"

	// ReplayedFrom is the header of a replayed record: the position, as
	// topic/partition/offset, of the record that was refused, and behind another
	// slash the place of the event where one of several was refused.
	ReplayedFrom = "plumbline.replayed-from"
)

// ClassPrefix stands before ingest's reasons in the class header.
const ClassPrefix = "plumbline.decode."
