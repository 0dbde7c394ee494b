package ingest

import "context"

// NoticeKind says what happened.
type NoticeKind string

// The kinds of notices.
const (
	NoticeParked      NoticeKind = "partition_parked"
	NoticeUnparked    NoticeKind = "partition_unparked"
	NoticePaused      NoticeKind = "partition_paused"
	NoticeUnpaused    NoticeKind = "partition_unpaused"
	NoticeNewEpoch    NoticeKind = "new_epoch"
	NoticeOffsetsLost NoticeKind = "offsets_lost"
	NoticeRewound     NoticeKind = "offset_rewound"
	NoticeAhead       NoticeKind = "offset_ahead"
	NoticePlanChanged NoticeKind = "plan_changed"
	NoticeWaits       NoticeKind = "decoding_waits"
	NoticeGoesOn      NoticeKind = "decoding_goes_on"
	NoticeRawLeftOut  NoticeKind = "raw_left_out"
	NoticeRawStored   NoticeKind = "raw_stored"
	NoticeRefused     NoticeKind = "kafka_refused"
	NoticeAccepted    NoticeKind = "kafka_accepted"
)

// Notice is something about ingest that people must know.
type Notice struct {
	Kind NoticeKind
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
