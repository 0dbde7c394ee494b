package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
)

func TestPartsStopInReverse(t *testing.T) {
	s := newStack(slog.New(slog.DiscardHandler))
	var mu sync.Mutex
	var stopped []string
	for _, name := range []string{"kafka", "clickhouse", "ingest"} {
		s.start(name, func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			stopped = append(stopped, name)
			return ctx.Err()
		})
	}
	if err := s.stopAll(nil); err != nil {
		t.Fatal(err)
	}
	if want := []string{"ingest", "clickhouse", "kafka"}; !slices.Equal(stopped, want) {
		t.Fatalf("stopped %v, want %v", stopped, want)
	}
}

func TestAPartThatDiesEndsTheProcess(t *testing.T) {
	s := newStack(slog.New(slog.DiscardHandler))
	broken := errors.New("disk gone")
	s.start("engine", func(context.Context) error { return broken })
	late := errors.New("not stopped well")
	s.start("ingest", func(ctx context.Context) error {
		<-ctx.Done()
		return late
	})
	cause := s.wait(t.Context())
	if !errors.Is(cause, broken) {
		t.Fatalf("wait returned %v, want the part's error", cause)
	}
	if err := s.stopAll(cause); !errors.Is(err, late) || errors.Is(err, broken) {
		t.Fatalf("stopAll returned %v, want the other part's error alone", err)
	}
}

func TestAPartThatEndsByItselfIsAnError(t *testing.T) {
	s := newStack(slog.New(slog.DiscardHandler))
	s.start("join", func(context.Context) error { return nil })
	if err := s.wait(t.Context()); err == nil {
		t.Fatal("a part that ended without being told to is no error")
	}
	if err := s.stopAll(nil); err != nil {
		t.Fatal(err)
	}
}
