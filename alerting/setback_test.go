package alerting_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// frames changes every frame of a file.
func frames(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		f := change(b[n : n+int(size)])
		out = append(binary.AppendUvarint(out, uint64(len(f))), f...)
		b = b[n+int(size):]
	}
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ahead rewrites what a process kept as if its clock had been d ahead.
func (w *world) ahead(t *testing.T, d time.Duration) {
	t.Helper()
	frames(t, filepath.Join(w.Config.DataDir, "nflog"), func(b []byte) []byte {
		var e nflogpb.MeshEntry
		if err := proto.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		e.Entry.Timestamp = timestamppb.New(e.Entry.Timestamp.AsTime().Add(d))
		e.ExpiresAt = timestamppb.New(e.ExpiresAt.AsTime().Add(d))
		out, err := proto.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		return out
	})
	frames(t, filepath.Join(w.Config.DataDir, "incidents"), func(b []byte) []byte {
		var i map[string]any
		if err := json.Unmarshal(b, &i); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"opened_at", "resolved_at", "escalated_at"} {
			if at, ok := i[k].(string); ok {
				parsed, err := time.Parse(time.RFC3339Nano, at)
				if err != nil {
					t.Fatal(err)
				}
				i[k] = parsed.Add(d).Format(time.RFC3339Nano)
			}
		}
		out, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		return out
	})
}

// An incident ended while the clock was ten minutes ahead: its next page is told.
func TestAClockSetBackSwallowsNoPage(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	page := firing(plumbline.SeverityPage)
	s.send(t, page)
	w.waitPagerDuty(t, 1)
	s.send(t, resolved(page))
	w.waitPagerDuty(t, 2)
	eventually(t, func() bool { return s.journal.count(alerting.EventResolved) == 2 })
	s.stop()
	w.ahead(t, 10*time.Minute)
	s = w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 3)
	wantActions(t, w, "trigger resolve trigger")
}

// A ticket was told while the clock was ten minutes ahead; the page of it is told once,
// and its end is.
func TestAClockSetBackLeavesNoPageOpen(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	ticket := firing(plumbline.SeverityTicket)
	s.send(t, ticket)
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	s.turns(t, 2)
	s.stop()
	w.ahead(t, 10*time.Minute)
	s = w.start(t)
	page := firing(plumbline.SeverityPage)
	s.send(t, ticket, page)
	w.waitPagerDuty(t, 1)
	s.turns(t, 8)
	said := 0
	for _, m := range w.slack.Messages() {
		if m.ThreadTS != "" && strings.HasPrefix(m.Text, "PAGE") {
			said++
		}
	}
	if n := len(w.pagerduty.Events()); n != 1 || said != 1 {
		t.Errorf("the page was told %d times at PagerDuty and %d times in the thread, want once", n, said)
	}
	s.send(t, resolved(ticket), resolved(page))
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
}
