package rules

import (
	"context"
	"testing"
	"time"
)

// silentSource answers nobody until it is given up.
type silentSource struct{ asked, given chan struct{} }

// Current implements FindingSource.
func (s silentSource) Current(ctx context.Context) ([]Sample, error) {
	close(s.asked)
	<-ctx.Done()
	close(s.given)
	return nil, ctx.Err()
}

// While ClickHouse hangs /metrics answers at once: what scrapes it would give up as
// early as the read does.
func TestMetricsDoNotWaitForTheSource(t *testing.T) {
	source := silentSource{make(chan struct{}), make(chan struct{})}
	v := &view{source: source, memory: newMemory(time.Hour), interval: time.Second, timeout: time.Second, onError: func(error) {}, live: map[string]*liveSeries{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v.refresh(t.Context(), time.Now())
	}()
	<-source.asked
	if n := v.heldSeries(); n != 0 {
		t.Errorf("%d series are held", n)
	}
	select {
	case <-source.given:
		t.Error("the metric waited until the read was given up")
	default:
	}
	<-ended
}
