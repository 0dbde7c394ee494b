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
	i := mustObserve(t, s.core.incidents, seen(plumbline.SeverityPage, 0))
	_ = s.core.incidents.file.file.Close() // the disk goes away
	id, err := s.Silence(t.Context(), i.ID, SilenceRequest{For: time.Hour, By: "ann", Comment: "known"})
	if err != nil || id == "" {
		t.Errorf("silence %q, %v", id, err)
	}
	cancel()
	<-ended // the broken file is its error
}
