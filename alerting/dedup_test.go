package alerting

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/types/known/timestamppb"

	plumbline "github.com/plumbline-slo/plumbline"
)

// A repeat is due when the channel has said nothing for the interval, whatever turns
// there were since: one that failed, one in which it had nothing to say. The log's own
// time is that of the last turn, which is now in every row.
func TestWhenARepeatIsDue(t *testing.T) {
	const interval = 4 * time.Hour
	page := model.LabelSet{plumbline.LabelModel: "m", plumbline.LabelSeverity: plumbline.SeverityPage}
	for name, test := range map[string]struct {
		said   time.Duration // ago
		intent string
		ends   bool
		taken  bool
		news   bool
		tells  bool
		repeat bool
	}{
		"said just now":               {said: time.Minute},
		"said before the interval":    {said: interval, tells: true, repeat: true},
		"the repeat failed":           {said: interval, intent: "1", tells: true, repeat: true},
		"another notice failed":       {said: time.Minute, intent: "1", tells: true},
		"taken":                       {said: interval, taken: true},
		"over":                        {said: interval, ends: true, tells: true},
		"never said, as by PagerDuty": {said: -1},
		"something new, when due":     {said: interval, news: true, tells: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCore(t)
			c.config.DataDir = t.TempDir()
			if err := errors.Join(c.openNflog(), c.openSilences(), c.openIncidents(), c.openAlerts()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.alerts.Close)
			now := time.Now()
			o := &outcome{incident: Incident{ID: "i", Key: "k", Severity: plumbline.SeverityPage}}
			store := nflog.NewStore(nil)
			if test.said >= 0 {
				store.SetInt(stateSaid, now.Add(-test.said).UnixMilli())
			}
			if test.taken {
				o.incident = o.incident.with(IncidentEvent{At: now.Add(-interval), Kind: EventAcknowledged, By: "ann", Text: plumbline.SeverityPage})
				store.SetStr(stateAck, o.incident.ackName())
			}
			if test.intent != "" {
				store.SetStr(stateIntent, test.intent)
			}
			receiver := &nflogpb.Receiver{GroupName: "g", Integration: "i"}
			told := []uint64{hashOf(page)}
			if test.news {
				told = []uint64{1}
			}
			if err := c.nflog.Log(receiver, "group", told, nil, store, 0); err != nil {
				t.Fatal(err)
			}
			a := &alert.Alert{Alert: model.Alert{Labels: page, StartsAt: now.Add(-5 * time.Hour), EndsAt: now.Add(time.Hour)}}
			if test.ends {
				a.EndsAt = now.Add(-time.Minute)
			}
			d := &dedup{stage: notify.NewDedupStage(sendResolved{}, c.nflog, receiver), delivery: &delivery{core: c, entry: receiver}}
			ctx := notify.WithRepeatInterval(notify.WithGroupKey(notify.WithNow(t.Context(), now), "group"), interval)
			_, tells, err := d.decide(ctx, slog.New(slog.DiscardHandler), withEntry(t, c, o, receiver), store, []*alert.Alert{a})
			if err != nil || len(tells) > 0 != test.tells || o.repeat != test.repeat {
				t.Errorf("tells %d alerts, repeat %t, %v", len(tells), o.repeat, err)
			}
		})
	}
}

// withEntry is the outcome with what the log has of the group.
func withEntry(t *testing.T, c *core, o *outcome, receiver *nflogpb.Receiver) *outcome {
	t.Helper()
	entry, err := c.nflog.entry("group", receiver)
	if err != nil || entry == nil {
		t.Fatalf("the log has %v, %v", entry, err)
	}
	intent, _ := nflog.NewStore(entry).GetStr(stateIntent)
	o.entry, o.maybeTold = entry, intent != ""
	return o
}

// What a replica remembers to fire is no page again after another has begun to tell
// its end: only what somebody has said since is, and what nobody was told of.
func TestOldNewsIsNotToldAgain(t *testing.T) {
	c := newCore(t)
	c.config.DataDir = t.TempDir()
	if err := errors.Join(c.openSilences(), c.openAlerts()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.alerts.Close)
	began := time.Now()
	said := func(name string, after time.Duration) *alert.Alert {
		a := &alert.Alert{UpdatedAt: began.Add(after), Alert: model.Alert{
			Labels: labelSet(ofItsOwn(name)), StartsAt: began.Add(-time.Hour), EndsAt: began.Add(time.Hour),
		}}
		if err := c.alerts.Put(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	before, after, news := said("before", -time.Second), said("after", time.Second), said("news", -time.Second)
	over := *before
	over.EndsAt = began.Add(-time.Minute)
	entry := &nflogpb.Entry{FiringAlerts: []uint64{hashOf(before.Labels), hashOf(after.Labels)}, Timestamp: timestamppb.New(began)}
	for name, test := range map[string]struct {
		entry  *nflogpb.Entry
		alerts []*alert.Alert
		want   bool
	}{
		"said since":              {entry, []*alert.Alert{after}, false},
		"not said since":          {entry, []*alert.Alert{before}, true},
		"one of two not":          {entry, []*alert.Alert{after, before}, true},
		"beside one never told":   {entry, []*alert.Alert{before, news}, false},
		"over":                    {entry, []*alert.Alert{&over}, false},
		"nothing was begun":       {nil, []*alert.Alert{before}, false},
		"the first notice of all": {&nflogpb.Entry{Timestamp: entry.Timestamp}, []*alert.Alert{before}, false},
	} {
		c.peer = new(cluster.Peer)
		if got := c.unheard(test.entry, test.alerts); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
		c.peer = nil
		if c.unheard(test.entry, test.alerts) {
			t.Errorf("%s: alone, it waits for itself", name)
		}
	}
}
