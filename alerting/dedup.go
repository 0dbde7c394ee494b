package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// What the notification log remembers of an incident beside the notifier's own
// state. Notifiers' keys begin with their channel's name.
const (
	// stateIntent is set from before a send until its record.
	stateIntent = "core_intent"
	// stateSaid is when the channel last said something, in Unix milliseconds. The
	// entry's own time is that of the last turn, whatever became of it.
	stateSaid = "core_said"
	// stateSeen is when the one who told looked, in Unix milliseconds.
	stateSeen = "core_seen"
	// stateAck names the acknowledgement that the channel was told of.
	stateAck = "core_ack"
)

// ackName names the acknowledgement of the incident's present level.
func (i Incident) ackName() string {
	ack, ok := i.Acknowledged()
	if !ok {
		return ""
	}
	return i.Severity + " " + ack.At.Format("2006-01-02T15:04:05.000Z") + " " + ack.By
}

// dedup is Alertmanager's deduplication and what it does not know: that a send
// may have been delivered without a record, that somebody acknowledged, and that
// fewer alerts fire than were told of.
type dedup struct {
	stage    notify.Stage
	delivery *delivery
}

// Exec implements notify.Stage.
func (d *dedup) Exec(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	o, ok := ctx.Value(outcomeKey{}).(*outcome)
	key, hasKey := notify.GroupKey(ctx)
	if !ok || !hasKey {
		return ctx, nil, errors.New("deduplicate: the group or the outcome is missing")
	}
	// This replica has waited its turn: others may have spoken meanwhile.
	o.seen = time.Now()
	if alerts = d.delivery.current(alerts); len(alerts) == 0 {
		return ctx, nil, nil
	}
	entry, err := d.delivery.told(key, o)
	if err != nil || d.delivery.peer != nil && d.delivery.moved(ctx, alerts) {
		return ctx, nil, err
	}
	if i, err := d.delivery.incidents.get(o.incident.ID); err == nil {
		o.incident = i
	}
	store := nflog.NewStore(entry)
	intent, _ := store.GetStr(stateIntent)
	o.entry, o.maybeTold = entry, intent != ""
	// What may have been told of a ticket and is not remembered stays muted, and so
	// does what was muted from its beginning: that has no incident.
	maybePaged := o.maybeTold && o.incident.Severity == plumbline.SeverityPage
	muted := isMuted(ctx) || d.delivery.mutedMeanwhile(alerts)
	if muted && !maybePaged && !d.delivery.pageEnded(entry, alerts) {
		return ctx, nil, nil
	}
	if o.maybeTold && d.delivery.unheard(entry, alerts) || d.delivery.behind(entry, alerts) || d.delivery.contradicts(entry, store, alerts) {
		return ctx, nil, nil
	}
	if again := d.delivery.firesAgain(o.incident, entry, store, alerts); !again.IsZero() {
		o.incident, err = d.delivery.incidents.change(o.incident.ID, func(i Incident) Incident {
			return i.refired(map[string]time.Time{o.incident.Severity: again})
		})
		if err != nil {
			return ctx, nil, err
		}
	}
	return d.decide(ctx, l, o, store, alerts)
}

// decide returns the alerts if there is something to tell of them.
func (d *dedup) decide(ctx context.Context, l *slog.Logger, o *outcome, store *nflog.Store, alerts []*alert.Alert) (context.Context, []*alert.Alert, error) {
	ctx, told, err := d.stage.Exec(ctx, l, alerts...)
	if err != nil {
		return ctx, nil, err
	}
	ack := o.incident.ackName()
	toldAck, _ := store.GetStr(stateAck)
	firing, _ := notify.FiringAlerts(ctx)
	o.acknowledged = ack != "" && ack != toldAck && len(firing) > 0
	// Who took what fired before has not taken what fires again. The end between
	// the two may never have been told: it was muted, or nobody was there to.
	again := ack == "" && toldAck != "" && len(firing) > 0
	reason, _ := notify.NotificationReason(ctx)
	elapsed := reason == notify.ReasonRepeatIntervalElapsed
	o.repeat = elapsed || len(told) == 0 && ack == "" && len(firing) > 0 && longSilent(ctx)
	if len(told) > 0 {
		o.quiet = elapsed && ack != "" && !o.acknowledged
		return ctx, told, nil
	}
	switch {
	case o.entry == nil:
		return ctx, nil, nil
	case o.maybeTold, o.acknowledged, o.repeat, again, fewer(o.entry.FiringAlerts, firing):
		return ctx, alerts, nil
	}
	return ctx, nil, nil
}

// longSilent reports whether the channel has said nothing for the repeat interval. A
// repeat that failed, or a turn in which a channel had nothing to say, is none.
func longSilent(ctx context.Context) bool {
	store, ok := notify.NflogStore(ctx)
	interval, known := notify.RepeatInterval(ctx)
	if !ok || !known {
		return false
	}
	said, ok := store.GetInt(stateSaid)
	return ok && turnTime(ctx).Sub(time.UnixMilli(said)) >= interval
}

// pageEnded reports whether the channel was told of a page that fires no more. What
// was told and is not remembered may have been one.
func (c *core) pageEnded(entry *nflogpb.Entry, alerts []*alert.Alert) bool {
	if entry == nil {
		return false
	}
	lesser := make(map[uint64]bool)
	for _, set := range c.alerts.labelsOf(keyOfAlert(alerts[0])) {
		lesser[hashOf(set)] = set[plumbline.LabelSeverity] != plumbline.SeverityPage
	}
	var firing []uint64
	for _, a := range alerts {
		if !a.Resolved() {
			firing = append(firing, hashOf(a.Labels))
		}
	}
	return slices.ContainsFunc(entry.FiringAlerts, func(told uint64) bool { return !lesser[told] && !slices.Contains(firing, told) })
}

// moved reports whether an alert of the incident has begun or ended since the
// turn began. What a replica saw before it waited must not be told after what
// another has seen since: the next turn tells how it is then. An alert that only
// another route takes has no turn here: who waited for it would never tell the end.
func (c *core) moved(ctx context.Context, alerts []*alert.Alert) bool {
	seen := make(map[model.Fingerprint]bool, len(alerts))
	for _, a := range alerts {
		seen[a.Fingerprint()] = true
		now, err := c.alerts.Get(a.Fingerprint())
		if err != nil && !a.Resolved() || err == nil && now.Resolved() != a.Resolved() {
			return true // one that was forgotten has ended
		}
	}
	return c.alerts.fires(keyOfAlert(alerts[0]), func(a model.Fingerprint) bool { return !seen[a] && c.firesFor(ctx, a) && !c.wasMuted(a) })
}

// behind reports whether another replica has told of an alert that this one was
// never sent: it would tell less than is known. The evaluator sends to all until
// each has acknowledged, so that lasts a moment; what lasts longer than an alert
// is taken as firing without a word is over.
func (c *core) behind(entry *nflogpb.Entry, alerts []*alert.Alert) bool {
	if entry == nil || c.peer == nil || time.Since(entry.Timestamp.AsTime()) > c.config.ResolveTimeout {
		return false
	}
	known := make(map[uint64]bool)
	for _, a := range alerts {
		known[hashOf(a.Labels)] = true
	}
	told := func(hash uint64) bool { return !known[hash] }
	if !slices.ContainsFunc(entry.FiringAlerts, told) {
		return false
	}
	for _, labels := range c.alerts.labelsOf(keyOfAlert(alerts[0])) {
		known[hashOf(labels)] = true
	}
	return slices.ContainsFunc(entry.FiringAlerts, told)
}

// contradicts reports whether an alert fires here that the one who told last, and
// looked later than this replica last heard of the alert, did not see firing. One
// of the two has not heard yet; the next word of the evaluator, a resend away,
// decides.
func (c *core) contradicts(entry *nflogpb.Entry, store *nflog.Store, alerts []*alert.Alert) bool {
	seen, ok := store.GetInt(stateSeen)
	if !ok || entry == nil || c.peer == nil {
		return false
	}
	at := time.UnixMilli(seen)
	return slices.ContainsFunc(alerts, func(a *alert.Alert) bool {
		if a.Resolved() || slices.Contains(entry.FiringAlerts, hashOf(a.Labels)) {
			return false
		}
		now, err := c.alerts.Get(a.Fingerprint())
		return err != nil || now.UpdatedAt.Before(at)
	})
}

// unheard reports whether nobody has said since a notice began whose record is lost
// that what was told fires. Another replica may have told its end: to say again that
// it fires would be a second page. The next word of the evaluator decides. What was
// never told does not wait.
func (c *core) unheard(entry *nflogpb.Entry, alerts []*alert.Alert) bool {
	if entry == nil || c.peer == nil {
		return false
	}
	unheard := false
	for _, a := range alerts {
		if a.Resolved() {
			continue
		}
		if !slices.Contains(entry.FiringAlerts, hashOf(a.Labels)) {
			return false
		}
		now, err := c.alerts.Get(a.Fingerprint())
		unheard = unheard || err != nil || now.UpdatedAt.Before(entry.Timestamp.AsTime())
	}
	return unheard
}

// firesAgain returns since when the level of an incident fires that nobody has taken,
// though somebody did before: all of it began after it was acknowledged, and since then
// this channel was told that nothing of it fires. However short the pause was, and
// whatever is remembered of the alerts that ended, what was taken is over. It returns
// zero where that is not so.
func (c *core) firesAgain(i Incident, entry *nflogpb.Entry, store *nflog.Store, alerts []*alert.Alert) time.Time {
	ack, taken := i.Acknowledged()
	seen, told := store.GetInt(stateSeen)
	if !taken || !told || !time.UnixMilli(seen).After(ack.At) {
		return time.Time{}
	}
	ofLevel := func(set model.LabelSet) bool { return string(set[plumbline.LabelSeverity]) == i.Severity }
	if slices.ContainsFunc(c.alerts.labelsOf(i.Key), func(set model.LabelSet) bool {
		return ofLevel(set) && slices.Contains(entry.FiringAlerts, hashOf(set))
	}) {
		return time.Time{}
	}
	var began time.Time
	for _, a := range alerts {
		if !a.Resolved() && ofLevel(a.Labels) {
			began = earliest(began, a.StartsAt)
		}
	}
	if began = moment(began); !began.After(ack.At) {
		return time.Time{}
	}
	return began
}

// hashOf is what the notification log knows an alert by: Alertmanager's
// notify.hashAlert, which it does not export.
func hashOf(set model.LabelSet) uint64 {
	const sep = '\xff'
	names := slices.Sorted(maps.Keys(set))
	var b []byte
	for _, name := range names {
		b = append(append(b, name...), sep)
		b = append(append(b, set[name]...), sep)
	}
	return xxhash.Sum64(b)
}

// wasMuted reports whether an alert is inhibited or silenced.
func (c *core) wasMuted(fp model.Fingerprint) bool {
	a, err := c.alerts.Get(fp)
	return err == nil && (c.inhibitor.Mutes(context.Background(), a.Labels) || c.silencer.Mutes(context.Background(), a.Labels))
}

// mutedMeanwhile reports whether all that fires is inhibited or silenced by now: the page
// that explains a ticket may come to this replica after the ticket, while it waits its
// turn.
func (c *core) mutedMeanwhile(alerts []*alert.Alert) bool {
	firing, _ := splitAlerts(alerts)
	return len(firing) > 0 && !slices.ContainsFunc(firing, func(a *alert.Alert) bool { return !c.wasMuted(a.Fingerprint()) })
}

// fewer reports whether an alert that people were told of fires no more.
func fewer(told, firing []uint64) bool {
	return slices.ContainsFunc(told, func(hash uint64) bool { return !slices.Contains(firing, hash) })
}

// told returns what the log has of a group, nil if nothing. Where a replica that was to
// speak before this one is gone, it may have spoken without a word to any other: that
// is written down, or the end of what began meanwhile would never be told.
func (d *delivery) told(key string, o *outcome) (*nflogpb.Entry, error) {
	entry, err := d.nflog.entry(key, d.entry)
	if err != nil || entry != nil || d.position() >= o.before || d.channel == "" {
		return entry, err
	}
	store := nflog.NewStore(nil)
	store.SetStr(stateIntent, "1")
	if err := d.nflog.Log(d.entry, key, nil, nil, store, 0); err != nil {
		return nil, fmt.Errorf("write down what a replica that is gone may have told: %w", err)
	}
	return d.nflog.entry(key, d.entry)
}

// intend writes down that a send begins, once a turn.
func (d *delivery) intend(ctx context.Context, o *outcome) error {
	if o.maybeTold || d.channel == "" {
		return nil // it stands there already, or nothing is sent
	}
	key, ok := notify.GroupKey(ctx)
	if !ok {
		return errors.New("notify: the group is missing")
	}
	store := nflog.NewStore(o.entry)
	store.SetStr(stateIntent, "1")
	var firing, resolved []uint64
	if o.entry != nil {
		firing, resolved = o.entry.FiringAlerts, o.entry.ResolvedAlerts
	}
	if err := d.nflog.Log(d.entry, key, firing, resolved, store, 0); err != nil {
		return fmt.Errorf("write down that a notice begins: %w", err)
	}
	return nil
}

// entry returns what the log has of a group and a receiver, nil if nothing.
func (d *durableNflog) entry(key string, receiver *nflogpb.Receiver) (*nflogpb.Entry, error) {
	entries, err := d.log.Query(nflog.QGroupKey(key), nflog.QReceiver(receiver))
	if errors.Is(err, nflog.ErrNotFound) || err == nil && len(entries) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask the notification log: %w", err)
	}
	return entries[0], nil
}
