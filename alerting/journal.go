package alerting

import (
	"context"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Journal keeps the history of incidents where people can query it. It is not
// what durability rests on: an error is counted and changes nothing else.
type Journal interface {
	Record(ctx context.Context, e Event) error
}

// EventKind says what happened to an incident.
type EventKind string

// The kinds of events.
const (
	// EventOpened is the first notice of an incident on a channel.
	EventOpened EventKind = "opened"
	// EventNotified is any further notice.
	EventNotified EventKind = "notified"
	// EventResolved is the notice that it is over.
	EventResolved EventKind = "resolved"
	// EventUnrouted is an alert of which nobody was told: of a model nobody
	// declared, or of an owner whom no channel reaches.
	EventUnrouted EventKind = "unrouted"
)

// Event is one thing that happened to an incident. When it is recorded, the
// notification log has it on disk.
type Event struct {
	At       time.Time
	Kind     EventKind
	Incident string
	Model    plumbline.Model
	Deploy   plumbline.DeployHash
	SLO      plumbline.SLOName
	Severity string
	Owner    plumbline.Owner
	// Channel is Channel.Name; empty for EventUnrouted.
	Channel string
	// Reason is Alertmanager's word for why it notified, for example "first
	// notification" or "repeat interval elapsed".
	Reason string
	Text   Text
}

// ActiveAlerts is what the side of the rules still knows to be firing when the
// process starts. It is asked once, before anything is sent.
type ActiveAlerts interface {
	ActiveAlerts(ctx context.Context) ([]Alert, error)
}
