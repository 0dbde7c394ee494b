package alerting

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// HeartbeatAlert is the name of an alert that always fires and reaches nobody:
// its way through the store, the dispatcher and the pipeline is the sign that
// alerts are handled at all.
const HeartbeatAlert = "PlumblineHeartbeat"

// heartbeat is the receiver of the heartbeat alert.
const heartbeat = "heartbeat"

// heartbeatInterval is how often its group has its turn.
const heartbeatInterval = 5 * time.Second

func heartbeatRoute() routeNode {
	return routeNode{
		Receiver: heartbeat, GroupBy: []string{plumbline.LabelAlert}, Matchers: []string{matcher(plumbline.LabelAlert, HeartbeatAlert)},
		GroupWait: model.Duration(time.Second), GroupInterval: model.Duration(heartbeatInterval),
	}
}

// beats is the stage at the end of the heartbeat's way.
type beats struct {
	last atomic.Int64
	// sound returns what keeps alerts from being kept, or nil.
	sound func() error
}

// Exec implements notify.Stage. The heartbeat alert itself writes nothing, so it comes
// here whatever became of the disk; without that no alert that is news does.
func (b *beats) Exec(ctx context.Context, _ *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	for _, a := range alerts {
		if !a.Resolved() && b.sound() == nil {
			b.last.Store(time.Now().UnixMilli())
		}
	}
	return ctx, nil, nil
}

// LastBeat returns when the heartbeat alert last reached the end of the pipeline
// while everything could be written, the zero time if it never has.
func (s *Service) LastBeat() time.Time {
	if ms := s.core.beats.last.Load(); ms > 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}
