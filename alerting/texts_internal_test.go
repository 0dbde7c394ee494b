package alerting

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// One explanation is looked for in a turn, whoever tells it, and the texts of turns that
// are over are not kept, told to the end or not.
func TestTextsAreOfTheirTurn(t *testing.T) {
	now, asked := noon(), 0
	w := &texts{
		explainer: explainerFunc(func() { asked++ }), timeout: time.Minute, metrics: newCore(t).metrics,
		now: func() time.Time { return now }, last: make(map[string]*cachedText),
	}
	for _, step := range []struct {
		after time.Duration
		group string
		flush uint64
		over  bool
		asked int // in all
		kept  int
	}{
		{0, "a", 1, false, 1, 1},
		{time.Minute, "a", 1, false, 1, 1}, // another channel
		{time.Minute, "a", 2, false, 2, 1},
		{time.Minute, "b", 1, false, 3, 2},
		{time.Minute, "b", 2, true, 3, 1},
		{2 * textKept, "c", 1, false, 4, 1},
	} {
		now = now.Add(step.after)
		ctx := notify.WithFlushID(notify.WithAggrGroupID(notify.WithGroupKey(t.Context(), step.group), step.group), step.flush)
		ends := now.Add(time.Hour)
		if step.over {
			ends = now
		}
		text := w.write(ctx, []*alert.Alert{{Alert: model.Alert{
			StartsAt: noon().Add(-time.Hour), EndsAt: ends,
			Labels: model.LabelSet{plumbline.LabelModel: "m", plumbline.LabelSLO: model.LabelValue(step.group)},
		}}}, plumbline.OwnerEntry{Name: "o"})
		if (text.Status == StatusResolved) != step.over || asked != step.asked || len(w.last) != step.kept {
			t.Errorf("%s: %s, asked %d times, %d texts are kept; want %+v", step.group+strconv.FormatUint(step.flush, 10), text.Status, asked, len(w.last), step)
		}
	}
}

type explainerFunc func()

func (f explainerFunc) Explain(context.Context, Question) (Explanation, error) {
	f()
	return Explanation{}, nil
}
