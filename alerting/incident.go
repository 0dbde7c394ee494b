package alerting

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Correlator knows what deploys share: the training set and the feature pipeline
// job. It answers at once, from memory; empty is not known.
type Correlator interface {
	Correlation(m plumbline.Model, deploy plumbline.DeployHash) (datasetHash, featureJob string)
}

// ErrNoIncident is returned for an incident that is not known or is over.
var ErrNoIncident = errors.New("no such incident")

// Incident is one thing that went wrong and that people were told of, from the
// first notice to the last. It is durable, shared by all replicas, and merged
// without an order: whatever two replicas know of an incident, and whoever
// hears first, both end up with the same.
type Incident struct {
	// ID names this incident alone: the first 16 digits of Key, a dash and the
	// time at which it opened. Another incident of the same model, deploy and
	// SLO has another ID and the same Key.
	ID string `json:"id"`
	// Key is IncidentKey or ServiceIncidentKey, PagerDuty's dedup_key.
	Key    string               `json:"key"`
	Model  plumbline.Model      `json:"model,omitempty"`
	Deploy plumbline.DeployHash `json:"deploy_hash,omitempty"`
	SLO    plumbline.SLOName    `json:"slo,omitempty"`
	// Name is the name of the alerting rule; Object is what an incident of the
	// service itself is about.
	Name   string          `json:"name,omitempty"`
	Object string          `json:"object,omitempty"`
	Owner  plumbline.Owner `json:"owner,omitempty"`
	// Severity is the highest level that it reached.
	Severity string `json:"severity"`
	// DatasetHash and FeatureJob correlate incidents of different models.
	DatasetHash string `json:"dataset_hash,omitempty"`
	FeatureJob  string `json:"feature_job,omitempty"`
	// OpenedAt is when its first alert began to fire, EscalatedAt when the first
	// page of it did (zero for a ticket), ResolvedAt when its last alert ended
	// (zero while it lasts).
	OpenedAt    time.Time `json:"opened_at"`
	EscalatedAt time.Time `json:"escalated_at,omitzero"`
	ResolvedAt  time.Time `json:"resolved_at,omitzero"`
	// Again is, by level, when the incident last began to fire at it anew, after
	// everything of that level had ended while the incident went on.
	Again map[string]time.Time `json:"again,omitempty"`
	// Acks are the acknowledgements that count, by the level that the incident
	// had: somebody who took note of a ticket has not taken note of the page it
	// became, nor of the page that came back hours after the one they took. All
	// of them stand in Events, from which this follows.
	Acks map[string]Ack `json:"acks,omitempty"`
	// Events is what happened, oldest first.
	Events []IncidentEvent `json:"events"`
}

// Kinds of IncidentEvent beside those of Event.
const (
	EventEscalated    EventKind = "escalated"
	EventAcknowledged EventKind = "acknowledged"
	EventSilenced     EventKind = "silenced"
	// EventAgain is a level that fires again after it had ended.
	EventAgain EventKind = "fires_again"
)

// IncidentEvent is one line of an incident's history.
type IncidentEvent struct {
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	// Channel is the channel of a notice, By the person of an acknowledgement
	// or a silence, or the owner who was told or handed it.
	Channel string `json:"channel,omitempty"`
	By      string `json:"by,omitempty"`
	Text    string `json:"text,omitempty"`
}

// maxIncidentEvents bounds the notices that one incident remembers; what people
// did and the changes of level are always kept.
const maxIncidentEvents = 200

// Open reports whether the incident lasts.
func (i Incident) Open() bool { return i.ResolvedAt.IsZero() }

// Acknowledged returns who took on the incident at the level it has now, since
// it last began to fire at it.
func (i Incident) Acknowledged() (Ack, bool) {
	ack, ok := i.Acks[i.Severity]
	return ack, ok
}

// FirstAcknowledged returns the first acknowledgement at the highest level, by which
// the time is told that people took to answer: who took a page that fired again hours
// later did not take hours. As long as what fires is nobody's there is none, whoever
// took it before.
func (i Incident) FirstAcknowledged() (Ack, bool) {
	ack, taken := i.Acknowledged()
	if !taken && i.Open() {
		return Ack{}, false
	}
	for _, e := range i.Events { // the oldest first
		if e.Kind == EventAcknowledged && e.Text == i.Severity {
			return Ack{By: e.By, At: e.At}, true
		}
	}
	return ack, taken
}

// pagedAt is when the page that there is began: the first, or the one that came
// back last.
func (i Incident) pagedAt() time.Time {
	return notBefore(i.EscalatedAt, i.Again[plumbline.SeverityPage])
}

// levelAt is when what fires at a level began.
func (i Incident) levelAt(level string) time.Time {
	if level == plumbline.SeverityPage {
		return i.pagedAt()
	}
	return later(i.OpenedAt, i.Again[level])
}

// acks are the first acknowledgements of every level since it last began. They
// follow from what replicas merge without an order, and so do not depend on who
// heard of a level's return, or of an acknowledgement, first.
func (i Incident) acks() map[string]Ack {
	var acks map[string]Ack
	for _, e := range i.Events { // the oldest first
		if e.Kind != EventAcknowledged || e.At.Before(i.Again[e.Text]) {
			continue
		}
		if acks == nil {
			acks = make(map[string]Ack)
		}
		if _, taken := acks[e.Text]; !taken {
			acks[e.Text] = Ack{By: e.By, At: e.At}
		}
	}
	return acks
}

// refired returns the incident with what a look showed to have begun anew.
func (i Incident) refired(again map[string]time.Time) Incident {
	for level, at := range again {
		if !at.After(i.Again[level]) {
			continue
		}
		if level == plumbline.SeverityPage && !i.EscalatedAt.IsZero() && at.After(i.pagedAt()) {
			i.Events = mergeEvents(i.Events, []IncidentEvent{{At: at, Kind: EventAgain, Text: level}})
		}
		i.Again = mergeAgain(i.Again, map[string]time.Time{level: at})
	}
	i.Acks = i.acks()
	return i
}

// mergeAgain keeps the later time of every level.
func mergeAgain(a, b map[string]time.Time) map[string]time.Time {
	if len(b) == 0 {
		return a
	}
	out := make(map[string]time.Time, len(a)+len(b))
	maps.Copy(out, a)
	for level, at := range b {
		out[level] = later(out[level], at)
	}
	return out
}

// Duration is how long the incident lasted, or has lasted at now.
func (i Incident) Duration(now time.Time) time.Duration {
	if i.Open() {
		return now.Sub(i.OpenedAt)
	}
	return i.ResolvedAt.Sub(i.OpenedAt)
}

// incidentID names the incident of a key that opened at a time.
func incidentID(key string, opened time.Time) string {
	return key[:min(len(key), 16)] + "-" + strconv.FormatInt(opened.UnixMilli(), 36)
}

// severityRank orders the levels of an incident.
func severityRank(severity string) int {
	switch severity {
	case plumbline.SeverityPage:
		return 2
	case plumbline.SeverityTicket:
		return 1
	default:
		return 0
	}
}

func higher(a, b string) string {
	if severityRank(b) > severityRank(a) {
		return b
	}
	return a
}

// earliest returns the earlier of two times, where zero is no time.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// moment is a time as incidents keep it: in UTC and milliseconds, so that it is
// the same after it was written and read.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

// merge returns what two replicas together know of one incident. It is
// commutative, associative and idempotent.
func (i Incident) merge(o Incident) Incident {
	out := i
	first := func(a, b string) string { return cmp.Or(min(a, b), max(a, b)) }
	out.Owner = plumbline.Owner(first(string(i.Owner), string(o.Owner)))
	out.Name, out.DatasetHash, out.FeatureJob = first(i.Name, o.Name), first(i.DatasetHash, o.DatasetHash), first(i.FeatureJob, o.FeatureJob)
	out.Severity = higher(i.Severity, o.Severity)
	out.OpenedAt, out.EscalatedAt = earliest(i.OpenedAt, o.OpenedAt), earliest(i.EscalatedAt, o.EscalatedAt)
	out.ResolvedAt = earliest(i.ResolvedAt, o.ResolvedAt)
	out.Again = mergeAgain(i.Again, o.Again)
	out.Events = mergeEvents(i.Events, o.Events)
	out.Acks = out.acks()
	return out
}

// mergeEvents returns every event of both once, oldest first.
func mergeEvents(a, b []IncidentEvent) []IncidentEvent {
	all := slices.Concat(a, b)
	slices.SortFunc(all, IncidentEvent.compare)
	return slices.CompactFunc(all, func(x, y IncidentEvent) bool { return x.compare(y) == 0 })
}

func (e IncidentEvent) compare(o IncidentEvent) int {
	return cmp.Or(e.At.Compare(o.At), cmp.Compare(e.Kind, o.Kind), cmp.Compare(e.Channel, o.Channel), cmp.Compare(e.By, o.By), cmp.Compare(e.Text, o.Text))
}

// with returns the incident with another event, unless it is a notice too many.
func (i Incident) with(e IncidentEvent) Incident {
	if (e.Kind == EventNotified || e.Kind == EventUnrouted) && len(i.Events) >= maxIncidentEvents {
		return i
	}
	e.At = moment(e.At)
	i.Events = mergeEvents(i.Events, []IncidentEvent{e})
	i.Acks = i.acks()
	return i
}

func (i Incident) equal(o Incident) bool {
	return i.ID == o.ID && i.Owner == o.Owner && i.Name == o.Name && i.Severity == o.Severity &&
		i.DatasetHash == o.DatasetHash && i.FeatureJob == o.FeatureJob &&
		i.OpenedAt.Equal(o.OpenedAt) && i.EscalatedAt.Equal(o.EscalatedAt) && i.ResolvedAt.Equal(o.ResolvedAt) &&
		maps.EqualFunc(i.Again, o.Again, time.Time.Equal) && maps.EqualFunc(i.Acks, o.Acks, Ack.equal) && slices.Equal(i.Events, o.Events)
}

// validate refuses a record that no replica of ours has written.
func (i Incident) validate() error {
	switch {
	case i.ID == "" || i.Key == "":
		return errors.New("an incident has no id or no key")
	case i.OpenedAt.IsZero():
		return fmt.Errorf("incident %s: opened_at is missing", i.ID)
	}
	return nil
}
