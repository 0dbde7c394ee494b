package alerting

import (
	"context"
	"log/slog"
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

	mu   sync.Mutex
	last map[string]*cachedText // by group
}

type cachedText struct {
	flush string
	once  sync.Once
	text  Text
}

func (t *texts) write(ctx context.Context, alerts []*alert.Alert, owner plumbline.OwnerEntry) Text {
	group, _ := notify.GroupKey(ctx)
	flush := flushName(ctx)
	t.mu.Lock()
	c, ok := t.last[group]
	if !ok || c.flush != flush {
		c = &cachedText{flush: flush}
		t.last[group] = c
	}
	t.mu.Unlock()

	c.once.Do(func() {
		plain := make([]Alert, 0, len(alerts))
		for _, a := range alerts {
			plain = append(plain, fromAlertmanager(a))
		}
		c.text = t.compose(ctx, plain, owner)
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

func (t *texts) compose(ctx context.Context, alerts []Alert, owner plumbline.OwnerEntry) Text {
	now := t.now()
	firing, _ := split(alerts, now)
	if len(firing) == 0 || owner.Name == "" || firing[0].Label(plumbline.LabelModel) == "" {
		// What is over needs no cause, nobody reads an undeclared model's, and
		// no model is the cause of the service's own trouble.
		return NewText(alerts, owner, Explanation{}, nil, now)
	}
	lead := firing[0]
	m, deploy := plumbline.Model(lead.Label(plumbline.LabelModel)), plumbline.DeployHash(lead.Label(plumbline.LabelDeploy))
	ex, err := explain(ctx, t.explainer, t.timeout, m, deploy)
	if err != nil {
		t.metrics.explainFailures.Inc()
		t.logger.Warn("explain incident", "model", m, "deploy", deploy, "err", err)
	}
	return NewText(alerts, owner, ex, err, now)
}

// flushName names one turn of one aggregation group.
func flushName(ctx context.Context) string {
	id, _ := notify.AggrGroupID(ctx)
	n, _ := notify.FlushID(ctx)
	return id + "/" + strconv.FormatUint(n, 10)
}
