package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/provider"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// alertRecord is one alert as the file keeps it.
type alertRecord struct {
	Alert
	// Resolved says that the alert had been told to have ended. An alert that
	// has not is firing after a restart whatever its EndsAt says, until the
	// rules speak again or Config.RestartGrace has passed: EndsAt only says how
	// long the sender's silence may last.
	Resolved bool
	// Again is when the level of the alert began to fire anew after every alert
	// of the incident at that level had ended; zero as far as is known it never
	// has. An alert that joins others of its level takes it over from them.
	Again time.Time `json:",omitzero"`
}

// alertStore is Alertmanager's memory of alerts behind a file: an alert is on
// disk before Put returns. Resolved alerts stay on disk for the retention, so
// that a resolution that was not delivered before a crash is delivered after it.
type alertStore struct {
	*mem.Alerts
	file *frameFile
	// flap is the longest pause of a level that is none: nobody could be told of
	// its end before it fired again.
	flap time.Duration

	mu    sync.Mutex
	known map[model.Fingerprint]alertRecord
}

// openAlertStore opens the file beneath an empty memory; load fills it.
func openAlertStore(path string) (*alertStore, error) {
	file, content, err := openFrameFile(path)
	if err != nil {
		return nil, err
	}
	s := &alertStore{file: file, known: make(map[model.Fingerprint]alertRecord)}
	err = eachFrame(content, func(frame []byte) error {
		var r alertRecord
		if err := json.Unmarshal(frame, &r); err != nil {
			return err
		}
		s.known[labelSet(r.Labels).Fingerprint()] = r
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read alerts from %s: %w", path, err), file.Close())
	}
	return s, nil
}

// load puts what was on disk into memory.
func (s *alertStore) load(ctx context.Context, now time.Time, grace time.Duration) error {
	s.mu.Lock()
	alerts := make([]*alert.Alert, 0, len(s.known))
	for _, r := range s.known {
		if !r.Resolved && r.EndsAt.Before(now.Add(grace)) {
			r.EndsAt = now.Add(grace)
		}
		a, err := r.toAlertmanager(now, grace)
		if err != nil {
			s.mu.Unlock()
			return fmt.Errorf("load alerts: %w", err)
		}
		// What is remembered is older than whatever anybody says from now on.
		a.UpdatedAt = r.StartsAt
		if r.Resolved {
			a.UpdatedAt = r.EndsAt
		}
		alerts = append(alerts, a)
	}
	s.mu.Unlock()
	return s.Alerts.Put(ctx, alerts...)
}

// Put implements provider.Alerts. Only what changes what a restart would do is
// written: an alert sent again unchanged costs nothing.
func (s *alertStore) Put(ctx context.Context, alerts ...*alert.Alert) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var frames []byte
	news := make(map[model.Fingerprint]alertRecord)
	for _, a := range alerts {
		fp := a.Fingerprint()
		former, ok := news[fp]
		if !ok {
			former, ok = s.known[fp]
		}
		r := alertRecord{Alert: fromAlertmanager(a), Resolved: a.ResolvedAt(a.UpdatedAt)}
		if ok && !former.Resolved && former.StartsAt.Before(r.StartsAt) {
			r.StartsAt = former.StartsAt
		}
		r.Again = former.Again
		if _, over := s.ended(former); !r.Resolved && (!ok || over) {
			r.Again = s.anew(r, news, a.UpdatedAt)
		}
		if ok && former.same(r) {
			continue
		}
		frame, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode alert: %w", err)
		}
		frames = appendFrame(frames, frame)
		news[fp] = r
	}
	if len(frames) > 0 {
		if err := s.file.Append(frames); err != nil {
			return fmt.Errorf("store alerts: %w", err)
		}
		maps.Copy(s.known, news)
	}
	return s.Alerts.Put(ctx, alerts...)
}

func (r alertRecord) same(o alertRecord) bool {
	return r.Resolved == o.Resolved && r.GeneratorURL == o.GeneratorURL && maps.Equal(r.Annotations, o.Annotations) &&
		(!r.Resolved || r.EndsAt.Equal(o.EndsAt)) && r.StartsAt.Equal(o.StartsAt) && r.Again.Equal(o.Again)
}

// ended returns when an alert ended, as it was told or because nobody has sent it
// for too long; false while it fires.
func (s *alertStore) ended(r alertRecord) (time.Time, bool) {
	if r.Resolved {
		return r.EndsAt, true
	}
	now, err := s.Alerts.Get(labelSet(r.Labels).Fingerprint())
	if err != nil {
		return r.EndsAt, true
	}
	return now.EndsAt, now.Resolved()
}

// anew returns since when the level of an alert that begins fires anew: since the
// alert does, if all others of its incident and level have ended, and there were
// any; otherwise since those that fire do. Who took a page that flickers is not
// called again each time: a pause that is too short to be told is no end. The lock
// is held.
func (s *alertStore) anew(r alertRecord, news map[model.Fingerprint]alertRecord, heard time.Time) time.Time {
	incident, level := r.incident(), r.Label(plumbline.LabelSeverity)
	var again, last, former time.Time // former: of those that have ended
	fires := false
	for fp, other := range s.known {
		if other.Label(plumbline.LabelSeverity) != level || other.incident() != incident {
			continue
		}
		at, over := s.ended(other)
		if newer, ok := news[fp]; ok { // of the same post: not in memory yet
			other, at, over = newer, newer.EndsAt, newer.Resolved
		}
		if over {
			last, former = later(last, at), later(former, other.Again)
			continue
		}
		fires, again = true, later(again, other.Again)
	}
	begins := earliest(later(last, r.StartsAt), heard)
	switch {
	case fires || last.IsZero():
		return again
	case begins.Sub(last) < s.flap:
		return former
	}
	return begins
}

// again returns since when the level of an alert fires anew; zero if it never
// ended before.
func (s *alertStore) again(fp model.Fingerprint) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[fp].Again
}

// fires reports whether an alert of an incident fires that is meant.
func (s *alertStore) fires(incident string, meant func(model.Fingerprint) bool) bool {
	s.mu.Lock()
	var of []model.Fingerprint
	for fp, r := range s.known {
		if !r.Resolved && r.incident() == incident {
			of = append(of, fp)
		}
	}
	s.mu.Unlock()
	return slices.ContainsFunc(of, meant)
}

// othersFire reports whether an alert of an incident fires that is another owner's.
func (s *alertStore) othersFire(incident, owner string) bool {
	return s.fires(incident, func(fp model.Fingerprint) bool {
		a, err := s.Get(fp)
		return err == nil && !a.Resolved() && string(a.Labels[plumbline.LabelOwner]) != owner
	})
}

// over returns when the last alert of an incident ended that is remembered; false
// while one fires, whichever route it goes.
func (s *alertStore) over(incident string) (last time.Time, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.known {
		if r.incident() != incident {
			continue
		}
		at, ended := s.ended(r)
		if !ended {
			return time.Time{}, false
		}
		last = later(last, at)
	}
	return last, true
}

// labelsOf returns the labels of every alert of an incident that is known: one that
// ended is for the retention, and for as long as another of the incident fires.
func (s *alertStore) labelsOf(incident string) []model.LabelSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	var of []model.LabelSet
	for _, r := range s.known {
		if r.incident() == incident {
			of = append(of, labelSet(r.Labels))
		}
	}
	return of
}

// expired writes down that an alert ended because nobody sent it any more.
func (s *alertStore) expired(a *alert.Alert) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fp := a.Fingerprint()
	r, ok := s.known[fp]
	if !ok || r.Resolved {
		return nil
	}
	r.Resolved, r.EndsAt = true, a.EndsAt
	frame, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode alert: %w", err)
	}
	// The memory tells of it once. A file that does not take it is written anew from
	// what is known.
	s.known[fp] = r
	if err := s.file.Append(appendFrame(nil, frame)); err != nil {
		return fmt.Errorf("store the end of an alert: %w", err)
	}
	return nil
}

// compact forgets the alerts that ended before the time and rewrites the file.
// What belongs to an incident in which another alert still fires stays: a page
// that was forgotten would not be known to begin anew when it fires again, and
// who acknowledged it the first time would be taken to have done so now.
func (s *alertStore) compact(before time.Time) error {
	return s.file.Replace(func() ([]byte, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		open := make(map[string]bool)
		for _, r := range s.known {
			if !r.Resolved {
				open[r.incident()] = true
			}
		}
		var frames []byte
		for fp, r := range s.known {
			if r.Resolved && r.EndsAt.Before(before) && !open[r.incident()] {
				delete(s.known, fp)
				continue
			}
			frame, err := json.Marshal(r)
			if err != nil {
				return nil, err
			}
			frames = appendFrame(frames, frame)
		}
		return frames, nil
	})
}

var _ provider.Alerts = (*alertStore)(nil)

// storeCallback tells the silencer and the store what the memory dropped.
type storeCallback struct {
	*silence.Silencer
	expired func(*alert.Alert)
}

// PostDelete implements mem.AlertStoreCallback.
func (c storeCallback) PostDelete(a *alert.Alert) { c.expired(a) }
