package alerting

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
)

// A silence that was made is no error, though the incident's history cannot have it:
// who was told that nothing was done would not look for it.
func TestSilenceStandsWithoutItsLineOfHistory(t *testing.T) {
	s, stop := running(t)
	i := mustObserve(t, s.core.incidents, seen(plumbline.SeverityPage, 0))
	_ = s.core.incidents.file.file.Close() // the disk goes away
	id, err := s.Silence(t.Context(), i.ID, SilenceRequest{For: time.Hour, By: "ann", Comment: "known"})
	if err != nil || id == "" {
		t.Errorf("silence %q, %v", id, err)
	}
	_ = stop() // the broken file is its error
}

// running is a service of one model, until stop, which returns what Run does.
func running(t *testing.T) (s *Service, stop func() error) {
	t.Helper()
	c := DefaultConfig()
	c.DataDir = t.TempDir()
	c.Owners = []plumbline.OwnerEntry{{Name: "o", Models: []plumbline.Model{"m"}}}
	s, err := New(c, Deps{Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	return s, func() error { cancel(); return <-ended }
}

// A recorded click that is sent once more, to a replica that has not seen it, takes
// nothing that began to fire after it.
func TestNobodyHasSeenWhatFiresLater(t *testing.T) {
	s, stop := running(t)
	opened := noon().Add(time.Hour)
	for name, c := range map[string]struct {
		again time.Duration // after it opened; zero never
		level string
		saw   time.Time
		taken bool
	}{
		"now":                          {0, plumbline.SeverityPage, time.Time{}, true},
		"what fires":                   {0, plumbline.SeverityPage, opened.Add(time.Second), true},
		"the incident before":          {0, plumbline.SeverityPage, opened.Add(-time.Second), false},
		"before it fired again":        {2 * time.Hour, plumbline.SeverityPage, opened.Add(time.Hour), false},
		"before, of whatever it shows": {2 * time.Hour, "", opened.Add(time.Hour), false},
		"what fires again":             {2 * time.Hour, plumbline.SeverityPage, opened.Add(3 * time.Hour), true},
	} {
		t.Run(name, func(t *testing.T) {
			look := seen(plumbline.SeverityPage, time.Hour)
			look.Key, look.SLO = IncidentKey("m", "d", plumbline.SLOName(name)), plumbline.SLOName(name)
			i := mustObserve(t, s.core.incidents, look)
			if c.again > 0 {
				look.Again = map[string]time.Time{plumbline.SeverityPage: opened.Add(c.again)}
				mustObserve(t, s.core.incidents, look)
			}
			i, err := s.AcknowledgeLevel(t.Context(), i.Key, c.level, c.saw, "ann")
			if _, taken := i.Acknowledged(); err != nil || taken != c.taken {
				t.Errorf("taken %t, %v; want %t", taken, err, c.taken)
			}
		})
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
