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

// An end that the rules told is one; alerts that nobody sent again say nothing of how the
// model is, and nor does one owner's part where the incident goes on.
func TestEndings(t *testing.T) {
	ends := func(later ...time.Duration) (alerts []*alert.Alert) {
		for _, d := range later {
			alerts = append(alerts, &alert.Alert{UpdatedAt: noon(), Alert: model.Alert{EndsAt: noon().Add(d), Labels: model.LabelSet{plumbline.LabelOwner: "a"}}})
		}
		return alerts
	}
	for name, tt := range map[string]struct {
		alerts []*alert.Alert
		of     Ending // by the alerts' names
		others bool
		want   Ending
	}{
		"told":                    {ends(0), "", false, ""},
		"told by another's clock": {ends(time.Second), "", false, ""},
		"known again":             {ends(-time.Second), EndingKnown, false, EndingKnown},
		"nobody sends it":         {ends(time.Minute), "", false, EndingUnsaid},
		"nor what was missing":    {ends(time.Minute), EndingKnown, false, EndingUnsaid},
		"one of two was told":     {ends(time.Minute, 0), "", false, ""},
		"another owner's":         {ends(time.Minute), "", true, EndingElsewhere},
	} {
		w := &texts{othersFire: func(incident, owner string) bool { return tt.others && incident == "k" && owner == "a" }}
		if got := w.ending(Text{Incident: "k", Ending: tt.of}, tt.alerts); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
