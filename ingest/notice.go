package ingest

import "context"

// The kinds of notices.
const (
	NoticeParked      = "partition_parked"
	NoticeUnparked    = "partition_unparked"
	NoticePaused      = "partition_paused"
	NoticeUnpaused    = "partition_unpaused"
	NoticeNewEpoch    = "new_epoch"
	NoticeOffsetsLost = "offsets_lost"
	NoticeRewound     = "offset_rewound"
	NoticeAhead       = "offset_ahead"
	NoticePlanChanged = "plan_changed"
	NoticeWaits       = "decoding_waits"
	NoticeGoesOn      = "decoding_goes_on"
	NoticeRawLeftOut  = "raw_left_out"
	NoticeRawStored   = "raw_stored"
	NoticeRefused     = "kafka_refused"
	NoticeAccepted    = "kafka_accepted"
)

// Notice is something about ingest that people must know.
type Notice struct {
	Kind string
	// Object is what it is about: a topic partition; a topic where raw rows are
	// left out; the addresses of a Kafka that refuses this service.
	Object string
	// Text is one sentence for people.
	Text string
}

// Noticer passes a notice on. Its error is counted and does not stop ingest.
type Noticer interface {
	Notice(ctx context.Context, n Notice) error
}

// discard drops notices where nobody listens.
type discard struct{}

func (discard) Notice(context.Context, Notice) error { return nil }
