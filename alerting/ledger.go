package alerting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// incidentLedger keeps the incidents: on disk before a change is taken as done,
// and told to the other replicas. It is safe for concurrent use.
type incidentLedger struct {
	file      *frameFile
	broadcast func([]byte)  // to the other replicas
	changed   chan struct{} // one slot: a row to be written
	// keep is how long an incident is kept after its end, share how long all of them
	// are told to another replica, in as many bytes as room.
	keep, share time.Duration
	room        int
	now         func() time.Time

	mu    sync.Mutex
	byID  map[string]Incident
	byKey map[string][]string // IDs by key, in the order of their opening
	dirty map[string]bool     // not written as rows yet
}

// maxSharedIncidents leaves the silences and the notification log their part of
// gossipLimit.
const maxSharedIncidents = 8 << 20

func openLedger(path string, keep, share time.Duration) (*incidentLedger, error) {
	file, content, err := openFrameFile(path)
	if err != nil {
		return nil, err
	}
	l := &incidentLedger{
		file: file, broadcast: func([]byte) {}, changed: make(chan struct{}, 1),
		keep: keep, share: share, room: maxSharedIncidents, now: time.Now,
		byID: make(map[string]Incident), byKey: make(map[string][]string), dirty: make(map[string]bool),
	}
	err = eachFrame(content, func(frame []byte) error {
		var i Incident
		if err := json.Unmarshal(frame, &i); err != nil {
			return err
		}
		l.put(i)
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read incidents from %s: %w", path, err), file.Close())
	}
	l.poke()
	return l, nil
}

// setBroadcast says how other replicas hear of a change.
func (l *incidentLedger) setBroadcast(broadcast func([]byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broadcast = broadcast
}

func (l *incidentLedger) poke() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// put replaces what is known of an incident. The lock is held, or nobody else
// knows the ledger yet.
func (l *incidentLedger) put(i Incident) {
	if _, ok := l.byID[i.ID]; !ok {
		ids := append(l.byKey[i.Key], i.ID)
		l.byID[i.ID] = i
		slices.SortFunc(ids, func(a, b string) int {
			if c := l.byID[a].OpenedAt.Compare(l.byID[b].OpenedAt); c != 0 {
				return c
			}
			return strings.Compare(a, b)
		})
		l.byKey[i.Key] = ids
	}
	l.byID[i.ID] = i
	l.dirty[i.ID] = true
}

// store makes a change durable, then known. The lock is held.
func (l *incidentLedger) store(i Incident) error {
	content, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encode incident: %w", err)
	}
	frame := appendFrame(nil, content)
	if err := l.file.Append(frame); err != nil {
		return fmt.Errorf("store incident: %w", err)
	}
	l.put(i)
	l.broadcast(frame)
	l.poke()
	return nil
}

// tell stores an incident and tells it though it may be known. The lock is held.
func (l *incidentLedger) tell(i Incident) error {
	if !i.equal(l.byID[i.ID]) {
		return l.store(i)
	}
	content, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encode incident: %w", err)
	}
	l.broadcast(appendFrame(nil, content))
	return nil
}

// openOf returns the open incident of a key: the earliest, if a partition of the
// replicas opened two. The lock is held.
func (l *incidentLedger) openOf(key string) (Incident, bool) {
	for _, id := range l.byKey[key] {
		if i := l.byID[id]; i.Open() {
			return i, true
		}
	}
	return Incident{}, false
}

// lastOf returns the incident of a key that opened last. The lock is held.
func (l *incidentLedger) lastOf(key string) (Incident, bool) {
	ids := l.byKey[key]
	if len(ids) == 0 {
		return Incident{}, false
	}
	return l.byID[ids[len(ids)-1]], true
}

// sighting is what one look at the alerts of an incident showed.
type sighting struct {
	Incident           // of the alerts: identity, level, OpenedAt, EscalatedAt
	over     time.Time // when the last alert ended; zero while one fires
}

// observe opens, escalates or resolves the incident of a look, and returns it. A
// look that changes nothing writes nothing.
func (l *incidentLedger) observe(s sighting) (Incident, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open, isOpen := l.openOf(s.Key)
	if !s.over.IsZero() {
		return l.resolve(s.Key, s.over, open, isOpen)
	}
	if !isOpen {
		opened := s.Incident
		if last, ok := l.lastOf(s.Key); ok && !last.ResolvedAt.Before(opened.OpenedAt) {
			// The same alert speaks again after it had been taken as over.
			opened.OpenedAt = last.ResolvedAt.Add(time.Millisecond)
			opened.EscalatedAt = notBefore(opened.EscalatedAt, opened.OpenedAt)
		}
		opened.Again, opened.ID = nil, incidentID(opened.Key, opened.OpenedAt)
		opened = opened.with(IncidentEvent{At: opened.OpenedAt, Kind: EventOpened, Text: opened.Severity})
		return opened, l.store(opened)
	}
	seen := open.refired(s.Again)
	seen.Severity = higher(open.Severity, s.Severity)
	if seen.EscalatedAt.IsZero() && !s.EscalatedAt.IsZero() {
		seen.EscalatedAt = notBefore(s.EscalatedAt, open.OpenedAt)
		seen = seen.with(IncidentEvent{At: seen.EscalatedAt, Kind: EventEscalated, Text: s.Severity})
	}
	if seen.DatasetHash == "" {
		seen.DatasetHash = s.DatasetHash
	}
	if seen.FeatureJob == "" {
		seen.FeatureJob = s.FeatureJob
	}
	if seen.equal(open) {
		return open, nil
	}
	return seen, l.store(seen)
}

// resolve ends every open incident of the key. The lock is held.
func (l *incidentLedger) resolve(key string, over time.Time, open Incident, isOpen bool) (Incident, error) {
	if !isOpen {
		last, _ := l.lastOf(key)
		return last, nil
	}
	for _, id := range slices.Clone(l.byKey[key]) {
		i := l.byID[id]
		if !i.Open() {
			continue
		}
		i.ResolvedAt = notBefore(moment(over), i.OpenedAt)
		i = i.with(IncidentEvent{At: i.ResolvedAt, Kind: EventResolved})
		if err := l.store(i); err != nil {
			return open, err
		}
	}
	return l.byID[open.ID], nil
}

// notBefore returns the time, and least where that is later; none stays none.
func notBefore(at, least time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return later(at, least)
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// change applies a change to the incident that is named by its ID, or by its key
// while it is open, and returns it when it is durable. A change that changes
// nothing writes nothing.
func (l *incidentLedger) change(name string, change func(Incident) Incident) (Incident, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, err := l.find(name)
	if err != nil {
		return Incident{}, err
	}
	changed := change(i)
	if changed.equal(i) {
		return i, nil
	}
	return changed, l.store(changed)
}

// find returns an incident by its ID or by its key; the lock is held.
func (l *incidentLedger) find(name string) (Incident, error) {
	if i, ok := l.byID[name]; ok {
		return i, nil
	}
	if i, ok := l.openOf(name); ok {
		return i, nil
	}
	if i, ok := l.lastOf(name); ok {
		return i, nil
	}
	return Incident{}, fmt.Errorf("%w: %q", ErrNoIncident, name)
}

// get is find for those who do not hold the lock.
func (l *incidentLedger) get(name string) (Incident, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(name)
}

// last is the open incident of a key, or the one that opened last.
func (l *incidentLedger) last(key string) (Incident, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.openOf(key); ok {
		return i, true
	}
	return l.lastOf(key)
}

// all returns the incidents, the latest first.
func (l *incidentLedger) all() []Incident {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Incident, 0, len(l.byID))
	for _, i := range l.byID {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Incident) int {
		if c := b.OpenedAt.Compare(a.OpenedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// takeDirty returns the incidents that changed since they were last taken.
func (l *incidentLedger) takeDirty() []Incident {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Incident, 0, len(l.dirty))
	for id := range l.dirty {
		if i, ok := l.byID[id]; ok {
			out = append(out, i)
		}
	}
	clear(l.dirty)
	return out
}

// giveBack marks incidents whose rows could not be written.
func (l *incidentLedger) giveBack(incidents []Incident) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range incidents {
		l.dirty[i.ID] = true
	}
}

// MarshalBinary implements cluster.State. It is what another replica needs to tell
// once: the open incidents, then those that ended last. All that are kept would in time
// be more than a replica takes (gossipLimit), the silences beside them included.
func (l *incidentLedger) MarshalBinary() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := l.now().Add(-l.share)
	var told []Incident
	for _, i := range l.byID {
		if i.Open() || !i.ResolvedAt.Before(since) {
			told = append(told, i)
		}
	}
	slices.SortFunc(told, func(a, b Incident) int {
		if a.Open() != b.Open() {
			if a.Open() {
				return -1
			}
			return 1
		}
		return later(b.OpenedAt, b.ResolvedAt).Compare(later(a.OpenedAt, a.ResolvedAt))
	})
	var frames []byte
	for _, i := range told {
		content, err := json.Marshal(i)
		if err != nil {
			return nil, err
		}
		if len(frames)+len(content) > l.room {
			break
		}
		frames = appendFrame(frames, content)
	}
	return frames, nil
}

// frames is the file: all incidents. The lock is held.
func (l *incidentLedger) frames() ([]byte, error) {
	var frames []byte
	for _, i := range l.byID {
		content, err := json.Marshal(i)
		if err != nil {
			return nil, err
		}
		frames = appendFrame(frames, content)
	}
	return frames, nil
}

// Merge implements cluster.State: what another replica knows is durable here
// too, and passed on if it was new. What ended too long ago to be kept is not taken:
// of replicas that forget at different times, each would give it back to the other.
func (l *incidentLedger) Merge(b []byte) error {
	if wholeFrames(b) != len(b) {
		return fmt.Errorf("merge incidents: %d bytes do not end with a frame", len(b))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return eachFrame(b, func(frame []byte) error {
		var theirs Incident
		if err := json.NewDecoder(bytes.NewReader(frame)).Decode(&theirs); err != nil {
			return err
		}
		if err := theirs.validate(); err != nil {
			return err
		}
		ours, ok := l.byID[theirs.ID]
		if !ok {
			if !theirs.Open() && theirs.ResolvedAt.Before(l.now().Add(-l.keep)) {
				return nil
			}
			return l.store(theirs)
		}
		if theirs.Open() && !ours.Open() && ours.ResolvedAt.Before(l.now().Add(-l.share)) {
			// They were away when it ended, and MarshalBinary does not tell them.
			return l.tell(ours.merge(theirs))
		}
		if merged := ours.merge(theirs); !merged.equal(ours) {
			return l.store(merged)
		}
		return nil
	})
}

// compact forgets the incidents that were resolved before the time and rewrites
// the file.
func (l *incidentLedger) compact(before time.Time) error {
	return l.file.Replace(func() ([]byte, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for id, i := range l.byID {
			if i.Open() || !i.ResolvedAt.Before(before) || l.dirty[id] {
				continue
			}
			delete(l.byID, id)
			l.byKey[i.Key] = slices.DeleteFunc(l.byKey[i.Key], func(other string) bool { return other == id })
			if len(l.byKey[i.Key]) == 0 {
				delete(l.byKey, i.Key)
			}
		}
		return l.frames()
	})
}
