package alerting

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	plumbline "github.com/plumbline-slo/plumbline"
)

// One write that fails costs no more than the alert that it was about, which is sent
// again: the file is written anew at once, not at the next upkeep.
func TestAFailedWriteIsMendedAtOnce(t *testing.T) {
	config := DefaultConfig()
	config.DataDir, config.Owners = t.TempDir(), []plumbline.OwnerEntry{{Name: "o"}}
	s, err := New(config, Deps{Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	<-s.Ready()
	late := time.After(5 * time.Minute)
	for name, file := range s.core.files {
		goesAway := func() {
			file.mu.Lock()
			defer file.mu.Unlock()
			file.file.Close()
		}
		// The maintenance may still be at what was broken before.
		for goesAway(); file.Append(appendFrame(nil, []byte("lost"))) == nil; goesAway() {
		}
		for s.core.writable() != nil {
			select {
			case <-late:
				t.Fatalf("%s is still broken: %v", name, s.core.writable())
			case <-time.After(time.Millisecond):
			}
		}
	}
	if err := s.Send(t.Context(), Alert{Labels: ofItsOwn("new"), StartsAt: time.Now()}); err != nil {
		t.Errorf("after the disk came back: %v", err)
	}
}

// The heartbeat counts only while what must be kept can be.
func TestNoHeartbeatWhileAFileCannotBeWritten(t *testing.T) {
	c := newCore(t)
	c.config.DataDir, c.beats.sound = t.TempDir(), c.writable
	if err := errors.Join(c.openNflog(), c.openSilences()); err != nil {
		t.Fatal(err)
	}
	a := &alert.Alert{}
	a.EndsAt = time.Now().Add(time.Hour)
	beat := func() bool {
		t.Helper()
		c.beats.last.Store(0)
		if _, _, err := c.beats.Exec(t.Context(), c.logger, a); err != nil {
			t.Fatal(err)
		}
		return c.beats.last.Load() != 0
	}
	if !beat() {
		t.Fatal("no beat though everything is well")
	}
	file := c.files["nflog"]
	file.file.Close()
	if file.Append(appendFrame(nil, []byte("x"))) == nil || beat() {
		t.Error("it beats though the notification log cannot be written")
	}
	if err := file.Replace(c.nflog.log.MarshalBinary); err != nil || !beat() {
		t.Errorf("it does not beat though the file was written anew: %v", err)
	}
}

// An end that the file does not take is in it once it is written anew.
func TestAnEndThatWasNotWrittenIsNotForgotten(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	s := storeAt(t, dir)
	put(t, s, "a", now, now.Add(time.Minute))
	a, err := s.Get(fingerprint("a"))
	if err != nil {
		t.Fatal(err)
	}
	s.file.file.Close()
	if s.expired(a) == nil {
		t.Fatal("a write to a closed file succeeded")
	}
	if err := s.compact(now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if r := storeAt(t, dir).known[fingerprint("a")]; !r.Resolved {
		t.Errorf("after the restart it fires: %+v", r)
	}
}

var errDisk = errors.New("the disk")

// A file whose new name is not sure to outlive the machine takes no frames, and none
// that it said to have taken is in a file without a name.
func TestFrameFileWhoseNameIsNotDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "frames")
	f, _, err := openFrameFile(path)
	if err != nil {
		t.Fatal(err)
	}
	one := appendFrame(nil, []byte("one"))
	snapshot := func() ([]byte, error) { return append([]byte(nil), one...), nil }
	f.syncDir = func(string) error { return errDisk }
	if err := f.Replace(snapshot); !errors.Is(err, errDisk) || f.Append(one) == nil {
		t.Errorf("%v; it takes frames", err)
	}
	f.syncDir = syncDir
	if err := errors.Join(f.Replace(snapshot), f.Append(one)); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || len(content) != 2*len(one) {
		t.Errorf("%q, %v; want both frames", content, err)
	}
}

// What could not be given the file's name does not keep the disk full.
func TestFrameFileLeavesNothingAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "frames")
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil { // a rename onto it fails
		t.Fatal(err)
	}
	if _, err := writeAside(path, []byte("x")); err == nil {
		t.Fatal("it has replaced a directory")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

// frame is a message as a file holds it.
func frame(t *testing.T, m proto.Message) []byte {
	t.Helper()
	content, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return appendFrame(nil, content)
}

// A replica appends what another tells it, in any order: after a restart the newest
// holds, not the last.
func TestTheNewestFrameHoldsAfterARestart(t *testing.T) {
	now := time.Now()
	silence := func(updated, ends time.Time) []byte {
		return frame(t, &silencepb.MeshSilence{ExpiresAt: timestamppb.New(now.Add(time.Hour)), Silence: &silencepb.Silence{
			Id: "s", StartsAt: timestamppb.New(now.Add(-time.Hour)), EndsAt: timestamppb.New(ends), UpdatedAt: timestamppb.New(updated),
			MatcherSets: []*silencepb.MatcherSet{{Matchers: []*silencepb.Matcher{{Name: "a", Pattern: "b"}}}},
		}})
	}
	told := func(receiver string, at time.Time, firing ...uint64) []byte {
		return frame(t, &nflogpb.MeshEntry{ExpiresAt: timestamppb.New(now.Add(time.Hour)), Entry: &nflogpb.Entry{
			GroupKey: []byte("g"), Receiver: &nflogpb.Receiver{GroupName: receiver, Integration: "i"}, Timestamp: timestamppb.New(at), FiringAlerts: firing,
		}})
	}
	c := newCore(t)
	c.config.DataDir = t.TempDir()
	for name, frames := range map[string][][]byte{
		"silences": {silence(now, now), silence(now.Add(-time.Minute), now.Add(time.Hour))},
		"nflog":    {told("r", now.Add(-time.Hour), 1), told("r", now, 2), told("other", now, 4), told("r", now.Add(-time.Minute), 3)},
	} {
		var content []byte
		for _, f := range frames {
			content = append(content, f...)
		}
		if err := os.WriteFile(filepath.Join(c.config.DataDir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.openSilences(), c.openNflog()); err != nil {
		t.Fatal(err)
	}
	silences, _, err := c.silences.Query(t.Context())
	if err != nil || len(silences) != 1 || silences[0].EndsAt.AsTime().After(now) {
		t.Errorf("silences %v, %v; want the one, which has ended", silences, err)
	}
	for receiver, want := range map[string]uint64{"r": 2, "other": 4} {
		entries, err := c.nflog.Query(nflog.QGroupKey("g"), nflog.QReceiver(&nflogpb.Receiver{GroupName: receiver, Integration: "i"}))
		if err != nil || len(entries) != 1 || len(entries[0].FiringAlerts) != 1 || entries[0].FiringAlerts[0] != want {
			t.Errorf("%s: %v, %v; want %d", receiver, entries, err, want)
		}
	}
}
