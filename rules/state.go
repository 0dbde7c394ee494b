package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// stateVersion is written into the state file; another version is not read.
const stateVersion = 1

// state is what the evaluator has to know after a restart: since when alerts
// hold, which of them were firing, and the ratios their SLOs rest on.
type state struct {
	Version int           `json:"version"`
	Series  []savedPoint  `json:"series"`
	Firing  []firingAlert `json:"firing"`
}

// savedPoint is the last point of one series.
type savedPoint struct {
	Labels labels.Labels `json:"labels"`
	// Milliseconds is when the point was written, unix time.
	Milliseconds int64   `json:"t"`
	Value        float64 `json:"v"`
}

// firingAlert is an alert that was sent as firing and not yet as resolved.
type firingAlert struct {
	Labels      labels.Labels `json:"labels"`
	Annotations labels.Labels `json:"annotations"`
	Value       float64       `json:"value"`
	ActiveAt    time.Time     `json:"active_at"`
	FiredAt     time.Time     `json:"fired_at"`
	// ValidUntil is when the alert counts as over unless sent again.
	ValidUntil time.Time `json:"valid_until"`
	// Expr is the expression of its rule; KeepFiringSince is since when it does
	// not hold and the alert goes on by the rule's keep_firing_for, zero while it
	// holds.
	Expr            string    `json:"expr,omitempty"`
	KeepFiringSince time.Time `json:"keep_firing_since,omitzero"`
}

func (f firingAlert) alert() *Alert {
	return &Alert{
		State: StateFiring, Labels: f.Labels, Annotations: f.Annotations, Value: f.Value,
		ActiveAt: f.ActiveAt, FiredAt: f.FiredAt, ValidUntil: f.ValidUntil,
	}
}

// readState returns the empty state if there is no file.
func readState(path string) (state, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state{Version: stateVersion}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("read alert state: %w", err)
	}
	var s state
	if err := json.Unmarshal(content, &s); err != nil {
		return state{}, fmt.Errorf("read alert state %s: %w; remove the file to start without it", path, err)
	}
	if s.Version != stateVersion {
		return state{}, fmt.Errorf("read alert state %s: version %d is not %d; remove the file to start without it", path, s.Version, stateVersion)
	}
	return s, nil
}

func (s state) write(path string) error {
	content, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = writeDurably(path, content, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write alert state: %w", err)
	}
	return nil
}

// save adds the last points of a metric to the state. Numbers JSON cannot hold
// are no state of an alert.
func (s *state) save(m *memory, metric string, keep func(labels.Labels) bool) {
	m.latest(metric, func(l labels.Labels, p point) {
		if math.IsNaN(p.v) || math.IsInf(p.v, 0) || !keep(l) {
			return
		}
		s.Series = append(s.Series, savedPoint{Labels: l, Milliseconds: p.t, Value: p.v})
	})
}
