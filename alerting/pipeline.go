package alerting

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"

	plumbline "github.com/plumbline-slo/plumbline"
)

// noWait is the position in a cluster of one.
func noWait() time.Duration { return 0 }

// pipeline builds what Alertmanager's PipelineBuilder builds, but for two
// things: muting lets resolved alerts pass, and what was sent is recorded after
// the notification log has it.
func (c *core) pipeline() (notify.RoutingStage, map[string][]notify.Integration) {
	stages := make(notify.RoutingStage)
	integrations := make(map[string][]notify.Integration)
	notifyMetrics := notify.NewMetrics(c.metrics.alertmanager, featurecontrol.NoopFlags{})
	// The nil interface, not a nil *cluster.Peer: the stage asks whether there
	// is a cluster by comparing with nil.
	before := notify.MultiStage{
		notify.NewClusterGossipSettleStage(nil),
		muteFiring{notify.NewMuteStage(c.inhibitor, notifyMetrics)},
		muteFiring{notify.NewMuteStage(c.silencer, notifyMetrics)},
	}
	for _, owner := range c.config.Owners {
		name := receiverName(owner.Name)
		var fanout notify.FanoutStage
		for i, channel := range c.channels {
			notifier := channel.Notifier(owner)
			if notifier == nil {
				continue
			}
			d := &delivery{core: c, owner: owner, channel: channel.Name(), notifier: notifier}
			integration := notify.NewIntegration(d, sendResolved{}, channel.Name(), i, name)
			integrations[name] = append(integrations[name], integration)
			fanout = append(fanout, c.integrationStage(d, integration, i, name, notifyMetrics))
		}
		stages[name] = append(append(notify.MultiStage{}, before...), fanout)
	}
	d := &delivery{core: c, notifier: nobody{}}
	integration := notify.NewIntegration(d, sendResolved{}, undeclared, 0, undeclared)
	integrations[undeclared] = []notify.Integration{integration}
	stages[undeclared] = append(append(notify.MultiStage{}, before...),
		notify.FanoutStage{c.integrationStage(d, integration, 0, undeclared, notifyMetrics)})
	notifyMetrics.InitializeFor(integrations)
	return stages, integrations
}

func (c *core) integrationStage(d *delivery, integration notify.Integration, idx int, receiver string, m *notify.Metrics) notify.Stage {
	entry := &nflogpb.Receiver{GroupName: receiver, Integration: integration.Name(), Idx: uint32(idx)}
	return c.sends.wrap(notify.MultiStage{
		notify.StageFunc(withOutcome),
		notify.NewClusterWaitStage(noWait),
		notify.NewDedupStage(sendResolved{}, c.nflog, entry),
		notify.NewRetryStage(integration, receiver, m, eventrecorder.Recorder{}),
		notify.NewSetNotifiesStage(c.nflog, entry),
		notify.StageFunc(d.record),
	})
}

// muteFiring mutes firing alerts only. Alertmanager mutes resolved ones too, so
// that an incident whose alert ends while it is silenced or inhibited stays
// open for ever (alertmanager#3664). Nobody is told of an end they were not
// told the beginning of: deduplication sees to that.
type muteFiring struct{ stage notify.Stage }

// Exec implements notify.Stage.
func (m muteFiring) Exec(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	var firing, resolved []*alert.Alert
	for _, a := range alerts {
		if a.Resolved() {
			resolved = append(resolved, a)
		} else {
			firing = append(firing, a)
		}
	}
	ctx, firing, err := m.stage.Exec(ctx, l, firing...)
	return ctx, append(firing, resolved...), err
}

// sendResolved says that every channel is told of the end.
type sendResolved struct{}

// SendResolved implements notify.ResolvedSender.
func (sendResolved) SendResolved() bool { return true }

// nobody is the notifier of models that were not declared.
type nobody struct{}

// Notify implements Notifier.
func (nobody) Notify(context.Context, Notice) (Result, error) { return Result{Sent: true}, nil }

// outcome carries what was sent past the stages of Alertmanager.
type outcome struct {
	text Text
	sent bool
}

type outcomeKey struct{}

func withOutcome(ctx context.Context, _ *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	return context.WithValue(ctx, outcomeKey{}, new(outcome)), alerts, nil
}

// delivery is one channel of one owner as Alertmanager sees it.
type delivery struct {
	*core
	owner    plumbline.OwnerEntry
	channel  string
	notifier Notifier
}

// Notify implements notify.Notifier.
func (d *delivery) Notify(ctx context.Context, alerts ...*alert.Alert) (retry bool, err error) {
	state, ok := notify.NflogStore(ctx)
	if !ok {
		return false, errors.New("notify: the notification log's store is missing")
	}
	ctx, cancel := d.sends.detach(ctx)
	defer cancel()
	text := d.texts.write(ctx, alerts, d.owner)
	reason, _ := notify.NotificationReason(ctx)
	result, err := d.notifier.Notify(ctx, Notice{
		Text: text, Alerts: plainAlerts(alerts), Repeat: reason == notify.ReasonRepeatIntervalElapsed, State: state,
	})
	if o, ok := ctx.Value(outcomeKey{}).(*outcome); ok && err == nil {
		o.text, o.sent = text, result.Sent
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
	d.metrics.events.WithLabelValues(d.channel, string(kind)).Inc()
	if d.journal == nil {
		return ctx, alerts, nil
	}
	recordCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	if err := d.journal.Record(recordCtx, Event{
		At: time.Now(), Kind: kind, Incident: o.text.Incident, Model: o.text.Model, Deploy: o.text.Deploy, SLO: o.text.SLO,
		Severity: o.text.Severity, Owner: o.text.Owner, Channel: d.channel, Reason: reason.String(), Text: o.text,
	}); err != nil {
		d.metrics.journalFailures.Inc()
		d.logger.Warn("record incident event", "incident", o.text.Incident, "kind", kind, "err", err)
	}
	return ctx, alerts, nil
}

// journalTimeout keeps a slow journal from holding up the next page.
const journalTimeout = 5 * time.Second
