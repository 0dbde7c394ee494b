package alerting

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/timeinterval"

	plumbline "github.com/plumbline-slo/plumbline"
)

// pipeline builds what Alertmanager's PipelineBuilder builds, but for two
// things: muting lets resolved alerts pass, and what was sent is recorded after
// the notification log has it.
func (c *core) pipeline() notify.RoutingStage {
	stages := make(notify.RoutingStage)
	integrations := make(map[string][]notify.Integration)
	notifyMetrics := notify.NewMetrics(c.metrics.alertmanager, featurecontrol.NoopFlags{})
	named := intervals(c.routes)
	intervener := timeinterval.NewIntervener(named)
	muting := func(more ...notify.Stage) notify.MultiStage {
		mutes := muteFiring{
			notify.NewMuteStage(c.inhibitor, notifyMetrics),
			notify.NewMuteStage(c.silencer, notifyMetrics),
			notify.NewTimeActiveStage(intervener, c.groups, notifyMetrics),
			notify.NewTimeMuteStage(intervener, c.groups, notifyMetrics),
			notify.StageFunc(c.muteWindows),
		}
		return notify.MultiStage{notify.NewClusterGossipSettleStage(c.settled()), append(mutes, more...)}
	}
	for _, owner := range c.config.Owners {
		name := receiverName(owner.Name)
		before := muting()
		if owner.BusinessHours != "" {
			before = muting(businessHours(named[owner.BusinessHours]))
		}
		sees := &sightings{core: c, owner: owner}
		stages[name] = append(before, notify.StageFunc(sees.observe), c.fanout(name, owner, notifyMetrics, integrations))
		if owner.Escalation != nil {
			name := escalationName(owner)
			stages[name] = append(muting(), &escalation{core: c, from: owner}, c.fanout(name, c.owner(owner.Escalation.To), notifyMetrics, integrations))
		}
	}
	d := &delivery{core: c, notifier: nobody{}}
	integration := notify.NewIntegration(d, sendResolved{}, undeclared, 0, undeclared)
	integrations[undeclared] = []notify.Integration{integration}
	sees := &sightings{core: c}
	stages[undeclared] = append(muting(), notify.StageFunc(sees.end), notify.FanoutStage{c.integrationStage(d, integration, 0, undeclared, notifyMetrics)})
	stages[heartbeat] = notify.MultiStage{&c.beats}
	notifyMetrics.InitializeFor(integrations)
	return stages
}

func (c *core) owner(name plumbline.Owner) plumbline.OwnerEntry {
	i := slices.IndexFunc(c.config.Owners, func(o plumbline.OwnerEntry) bool { return o.Name == name })
	return c.config.Owners[i] // Config.Validate has seen that it is there
}

// fanout is every channel by which a receiver reaches an owner. Where there is
// none, that nobody was told is recorded: a page must not vanish unseen.
func (c *core) fanout(receiver string, owner plumbline.OwnerEntry, m *notify.Metrics, integrations map[string][]notify.Integration) notify.Stage {
	var all notify.FanoutStage
	for i, channel := range c.channels {
		notifier := channel.Notifier(owner)
		if notifier == nil {
			continue
		}
		d := &delivery{core: c, owner: owner, channel: channel.Name(), notifier: notifier}
		integration := notify.NewIntegration(d, sendResolved{}, channel.Name(), i, receiver)
		integrations[receiver] = append(integrations[receiver], integration)
		all = append(all, c.integrationStage(d, integration, i, receiver, m))
	}
	if len(all) == 0 {
		c.logger.Warn("no channel reaches this owner: nobody is told of its alerts; give it a channel and the channel its secret", "owner", owner.Name)
		d := &delivery{core: c, owner: owner, notifier: nobody{}}
		integration := notify.NewIntegration(d, sendResolved{}, undeclared, 0, receiver)
		integrations[receiver] = append(integrations[receiver], integration)
		all = append(all, c.integrationStage(d, integration, 0, receiver, m))
	}
	return all
}

func (c *core) integrationStage(d *delivery, integration notify.Integration, idx int, receiver string, m *notify.Metrics) notify.Stage {
	d.entry = &nflogpb.Receiver{GroupName: receiver, Integration: integration.Name(), Idx: uint32(idx)}
	return c.sends.wrap(notify.MultiStage{
		notify.StageFunc(c.withOutcome),
		notify.NewClusterWaitStage(c.turn),
		&dedup{stage: notify.NewDedupStage(sendResolved{}, c.nflog, d.entry), delivery: d},
		notify.NewRetryStage(integration, receiver, m, eventrecorder.Recorder{}),
		notify.NewSetNotifiesStage(c.nflog, d.entry),
		notify.StageFunc(d.record),
	})
}

// muteFiring mutes firing alerts only. Alertmanager mutes resolved ones too, so
// that an incident whose alert ends while it is silenced or inhibited stays
// open for ever (alertmanager#3664). Nobody is told of an end they were not
// told the beginning of: deduplication sees to that. And while any alert of the
// incident fires, heard or muted, the incident is not over. Where all that fires is
// muted, nothing of it is told but the end of a page that was told: were it not, who
// closed the page would not hear that it fires again.
type muteFiring []notify.Stage

type mutedKey struct{}

// isMuted reports whether all that fires is muted.
func isMuted(ctx context.Context) bool { return ctx.Value(mutedKey{}) != nil }

// Exec implements notify.Stage.
func (m muteFiring) Exec(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	firing, resolved := splitAlerts(alerts)
	fire, page := len(firing) > 0, pages(firing)
	for _, stage := range m {
		var err error
		if ctx, firing, err = stage.Exec(ctx, l, firing...); err != nil {
			return ctx, nil, err
		}
	}
	if fire && len(firing) == 0 {
		if page {
			return ctx, nil, nil
		}
		return context.WithValue(ctx, mutedKey{}, true), alerts, nil
	}
	return ctx, append(firing, resolved...), nil
}

func splitAlerts(alerts []*alert.Alert) (firing, resolved []*alert.Alert) {
	for _, a := range alerts {
		if a.Resolved() {
			resolved = append(resolved, a)
		} else {
			firing = append(firing, a)
		}
	}
	return firing, resolved
}

// sendResolved says that every channel is told of the end.
type sendResolved struct{}

// SendResolved implements notify.ResolvedSender.
func (sendResolved) SendResolved() bool { return true }

// nobody is the notifier of models that were not declared, and of owners whom no
// channel reaches.
type nobody struct{}

// Notify implements Notifier.
func (nobody) Notify(context.Context, Notice) (Result, error) { return Result{Sent: true}, nil }

// outcome carries what the stages of Alertmanager do not: what is known before
// a send, and what was sent after it.
type outcome struct {
	incident Incident
	entry    *nflogpb.Entry // what the notification log had; nil if nothing
	seen     time.Time      // when this replica looked at the alerts
	// maybeTold says that an earlier send may have been delivered though its
	// record is missing; acknowledged that the channel is to be told of an
	// acknowledgement; repeat that nothing was said for long; quiet that only the
	// record is to be renewed.
	maybeTold, acknowledged, repeat, quiet bool
	// before is how many replicas were to tell before this one that something fires,
	// when the turn began.
	before int

	text Text
	sent bool
}

type outcomeKey struct{}

func (c *core) withOutcome(ctx context.Context, _ *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	o := new(outcome)
	if firing, _ := splitAlerts(alerts); len(firing) > 0 {
		o.before = c.position()
	}
	o.incident, _ = ctx.Value(incidentKey{}).(Incident)
	return context.WithValue(ctx, outcomeKey{}, o), alerts, nil
}

// delivery is one channel of one owner as Alertmanager sees it.
type delivery struct {
	*core
	owner    plumbline.OwnerEntry
	channel  string
	notifier Notifier
	entry    *nflogpb.Receiver
}

// Notify implements notify.Notifier. That a send begins is on disk before it
// does: one that was delivered, and whose record a crash took, is known by that.
func (d *delivery) Notify(ctx context.Context, alerts ...*alert.Alert) (retry bool, err error) {
	store, ok := notify.NflogStore(ctx)
	o, known := ctx.Value(outcomeKey{}).(*outcome)
	if !ok || !known {
		return false, errors.New("notify: the notification log's store is missing")
	}
	if o.quiet {
		return false, nil
	}
	ctx, cancel := d.sends.detach(ctx)
	defer cancel()
	text := d.texts.write(ctx, alerts, d.owner)
	if err := d.intend(ctx, o); err != nil {
		return true, err
	}
	maybeTold := o.maybeTold
	o.maybeTold = true // of the next attempt
	result, err := d.notifier.Notify(ctx, Notice{
		Text: text, Receiver: d.entry.GetGroupName(), Alerts: plainAlerts(alerts), Repeat: o.repeat, State: store,
		Incident: o.incident, Acknowledged: o.acknowledged, MaybeTold: maybeTold,
	})
	if err == nil {
		o.text, o.sent = text, result.Sent
		store.Delete(stateIntent)
		store.SetStr(stateAck, o.incident.ackName())
		store.SetInt(stateSeen, o.seen.UnixMilli())
		if result.Sent || o.repeat {
			store.SetInt(stateSaid, time.Now().UnixMilli())
		}
	}
	return result.Retry, err
}

// record tells the journal and the metrics what was sent.
func (d *delivery) record(ctx context.Context, _ *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	o, ok := ctx.Value(outcomeKey{}).(*outcome)
	if !ok || !o.sent {
		return ctx, alerts, nil
	}
	reason, _ := notify.NotificationReason(ctx)
	kind := EventNotified
	switch {
	case d.channel == "":
		kind = EventUnrouted
	case o.text.Status == StatusResolved:
		kind = EventResolved
	case reason == notify.ReasonFirstNotification:
		kind = EventOpened
	}
	why := reason.String()
	switch {
	case o.acknowledged:
		why = string(EventAcknowledged)
	case o.repeat && reason == notify.ReasonDoNotNotify:
		why = notify.ReasonRepeatIntervalElapsed.String()
	}
	d.metrics.events.WithLabelValues(d.channel, string(kind)).Inc()
	d.remember(o, kind, why)
	if d.journal == nil {
		return ctx, alerts, nil
	}
	recordCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	if err := d.journal.Record(recordCtx, Event{
		At: time.Now(), Kind: kind, Incident: o.text.Incident, Model: o.text.Model, Deploy: o.text.Deploy, SLO: o.text.SLO,
		Severity: o.text.Severity, Owner: o.text.Owner, Channel: d.channel, Reason: why, Text: o.text,
	}); err != nil {
		d.metrics.journalFailures.Inc()
		d.logger.Warn("record incident event", "incident", o.text.Incident, "kind", kind, "err", err)
	}
	return ctx, alerts, nil
}

// remember adds the notice to the incident's own history.
func (d *delivery) remember(o *outcome, kind EventKind, why string) {
	if o.incident.ID == "" {
		return
	}
	event := IncidentEvent{At: time.Now(), Kind: EventNotified, Channel: d.channel, By: string(d.owner.Name), Text: why}
	switch kind {
	case EventResolved:
		event.Text = "resolved"
	case EventUnrouted:
		event.Kind, event.Text = EventUnrouted, "nobody was told: no channel reaches the owner"
	}
	if _, err := d.incidents.change(o.incident.ID, func(i Incident) Incident { return i.with(event) }); err != nil {
		d.metrics.storageFailures.WithLabelValues("incidents").Inc()
		d.logger.Error("store a notice of an incident", "incident", o.incident.ID, "err", err)
	}
}

// journalTimeout keeps a slow journal from holding up the next page.
const journalTimeout = 5 * time.Second
