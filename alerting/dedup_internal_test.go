package alerting

import (
	"testing"

	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
)

// What a replica that was to speak first may have told before it was gone is written
// down as that, unless something is known of the group.
func TestWhatAReplicaThatIsGoneMayHaveTold(t *testing.T) {
	c := newCore(t)
	c.config.DataDir = t.TempDir()
	if err := c.openNflog(); err != nil {
		t.Fatal(err)
	}
	d := &delivery{core: c, channel: "pagerduty", entry: &nflogpb.Receiver{GroupName: "owner/a", Integration: "pagerduty"}}
	intent := func(entry *nflogpb.Entry) string {
		text, _ := nflog.NewStore(entry).GetStr(stateIntent)
		return text
	}
	if entry, err := d.told("group", &outcome{}); err != nil || entry != nil {
		t.Errorf("nobody is gone: %v, %v, want nothing known", entry, err)
	}
	// One was before it, and there is no cluster any more.
	for range 2 {
		entry, err := d.told("group", &outcome{before: 1})
		if err != nil || entry == nil || intent(entry) == "" || len(entry.FiringAlerts) > 0 {
			t.Fatalf("who was first is gone: %v, %v, want a notice that may have been", entry, err)
		}
	}
	if err := c.nflog.Log(d.entry, "known", []uint64{7}, nil, nflog.NewStore(nil), 0); err != nil {
		t.Fatal(err)
	}
	if entry, err := d.told("known", &outcome{before: 1}); err != nil || entry == nil || intent(entry) != "" || len(entry.FiringAlerts) != 1 {
		t.Errorf("what is known stays: %v, %v", entry, err)
	}
}
