package alerting

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"

	plumbline "github.com/plumbline-slo/plumbline"
)

// texts writes each incident's text once for all channels and retries of one
// notification: the search for the cause is not free, and the same page must
// say the same everywhere.
type texts struct {
	explainer Explainer
	timeout   time.Duration
	metrics   *metrics
	logger    *slog.Logger
	now       func() time.Time
	// acked returns who took an incident; nil if nobody can.
	acked func(incident string) (Ack, bool)
	// othersFire reports whether alerts of an incident fire that are another owner's; nil
	// if none can.
	othersFire func(incident, owner string) bool

	mu   sync.Mutex
	last map[string]*cachedText // by group
}

// textKept is how long a text waits for another channel of its turn: longer than a turn
// takes, and what is written once more is only the same once more.
const textKept = 10 * time.Minute

type cachedText struct {
	flush   string
	written time.Time
	once    sync.Once
	text    Text
}

func (t *texts) write(ctx context.Context, alerts []*alert.Alert, owner plumbline.OwnerEntry) Text {
	group, _ := notify.GroupKey(ctx)
	flush := flushName(ctx)
	t.mu.Lock()
	c, ok := t.last[group]
	if !ok || c.flush != flush {
		t.forget()
		c = &cachedText{flush: flush, written: t.now()}
		t.last[group] = c
	}
	t.mu.Unlock()

	c.once.Do(func() {
		c.text = t.compose(ctx, plainAlerts(alerts), owner)
		if c.text.Status == StatusResolved && !c.text.Service() {
			c.text.Ending = t.ending(c.text, alerts)
		}
	})
	if c.text.Status == StatusResolved {
		t.mu.Lock()
		if t.last[group] == c {
			delete(t.last, group)
		}
		t.mu.Unlock()
	}
	return c.text
}

// unsaidFor is how much later than it was last heard an alert ends that nobody has sent
// again. Rules send an end when it has come, give or take what clocks differ.
const unsaidFor = 5 * time.Second

// ending is why nothing of what is told here fires any more.
func (t *texts) ending(text Text, alerts []*alert.Alert) Ending {
	if t.othersFire != nil && t.othersFire(text.Incident, string(alerts[0].Labels[plumbline.LabelOwner])) {
		return EndingElsewhere
	}
	if !slices.ContainsFunc(alerts, func(a *alert.Alert) bool { return !a.EndsAt.After(a.UpdatedAt.Add(unsaidFor)) }) {
		return EndingUnsaid
	}
	return text.Ending
}

// forget drops the texts of turns that are over: an incident may end without a last
// one, muted or told by another replica. The lock is held.
func (t *texts) forget() {
	old := t.now().Add(-textKept)
	maps.DeleteFunc(t.last, func(_ string, c *cachedText) bool { return c.written.Before(old) })
}

func plainAlerts(alerts []*alert.Alert) []Alert {
	plain := make([]Alert, 0, len(alerts))
	for _, a := range alerts {
		plain = append(plain, fromAlertmanager(a))
	}
	return plain
}

func (t *texts) compose(ctx context.Context, alerts []Alert, owner plumbline.OwnerEntry) Text {
	now := t.now()
	firing, _ := split(alerts, now)
	if len(firing) == 0 || owner.Name == "" || firing[0].Label(plumbline.LabelModel) == "" {
		// What is over needs no cause, nobody reads an undeclared model's, and
		// no model is the cause of the service's own trouble.
		text := NewText(alerts, owner, Explanation{}, nil, now)
		t.ack(&text)
		return text
	}
	lead := firing[0]
	about := Question{
		Model: plumbline.Model(lead.Label(plumbline.LabelModel)), Deploy: plumbline.DeployHash(lead.Label(plumbline.LabelDeploy)),
		SLO: plumbline.SLOName(lead.Label(plumbline.LabelSLO)), Since: lead.StartsAt, Now: now,
		Window: longestWindow(firing),
	}
	ex, err := explain(ctx, t.explainer, t.timeout, about)
	if err != nil {
		t.metrics.explainFailures.Inc()
		t.logger.Warn("explain incident", "model", about.Model, "deploy", about.Deploy, "err", err)
	}
	text := NewText(alerts, owner, ex, err, now)
	t.ack(&text)
	return text
}

// ack says who takes care of an incident that goes on.
func (t *texts) ack(text *Text) {
	if t.acked == nil || text.Status != StatusFiring {
		return
	}
	if ack, ok := t.acked(text.Incident); ok {
		text.Acked = &ack
	}
}

// flushName names one turn of one aggregation group.
func flushName(ctx context.Context) string {
	id, _ := notify.AggrGroupID(ctx)
	n, _ := notify.FlushID(ctx)
	return id + "/" + strconv.FormatUint(n, 10)
}
