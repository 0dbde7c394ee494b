package analyze

import (
	"errors"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
)

// LabelArrivalConfig says when labels that stay away are missed.
type LabelArrivalConfig struct {
	// Interval is the pause between two looks. Default 1 min.
	Interval time.Duration `yaml:"interval"`
	// Windows are the windows of wall clock, in whole hours, that labels are
	// counted in; each begins with an hour. Default 1 h, 6 h and 24 h.
	Windows []time.Duration `yaml:"windows"`
	// History is how far back delays are looked at. Default 28 days.
	History time.Duration `yaml:"history"`
	// Least is the share of the expected labels under which they are missed, in
	// (0, 1). Default 0.5.
	Least float64 `yaml:"least"`
	// For is how long labels must have stayed away, at every look, before the model
	// counts as blind and somebody is told; 0 is at once. Default 10 min.
	For time.Duration `yaml:"for"`
}

func defaultLabelArrival() LabelArrivalConfig {
	return LabelArrivalConfig{Interval: time.Minute, Windows: []time.Duration{time.Hour, 6 * time.Hour, day}, History: 28 * day, Least: 0.5, For: 10 * time.Minute}
}

func (c LabelArrivalConfig) validate() []error {
	var errs []error
	if c.Interval <= 0 {
		errs = append(errs, fmt.Errorf("analyze.label_arrival.interval: %s is not positive", c.Interval))
	}
	if c.History < day || c.History%time.Hour != 0 || c.History > 400*day {
		errs = append(errs, fmt.Errorf("analyze.label_arrival.history: %s is not a number of hours between a day and 400 days", c.History))
	}
	if len(c.Windows) == 0 {
		errs = append(errs, errors.New("analyze.label_arrival.windows: there is none"))
	}
	for _, w := range c.Windows {
		if w < time.Hour || w%time.Hour != 0 || w > c.History/2 {
			errs = append(errs, fmt.Errorf("analyze.label_arrival.windows: %s is not a number of hours up to half the history", w))
		}
	}
	if c.For < 0 {
		errs = append(errs, fmt.Errorf("analyze.label_arrival.for: %s is negative", c.For))
	}
	if !(c.Least > 0 && c.Least < 1) {
		errs = append(errs, fmt.Errorf("analyze.label_arrival.least: %v is not between 0 and 1", c.Least))
	}
	return errs
}

// validateEstimates returns the mistakes in what maturity and estimates are made
// from.
func (c Config) validateEstimates() error {
	errs := c.LabelArrival.validate()
	if c.EstimateInterval <= 0 {
		errs = append(errs, fmt.Errorf("analyze.estimate_interval: %s is not positive", c.EstimateInterval))
	}
	if c.EstimateHistory < 2*day || c.EstimateHistory%day != 0 || c.EstimateHistory > 400*day {
		errs = append(errs, fmt.Errorf("analyze.estimate_history: %s is not a number of days between 2 and 400", c.EstimateHistory))
	}
	if len(c.EstimateWindows) == 0 {
		errs = append(errs, errors.New("analyze.estimate_windows: there is none"))
	}
	for _, w := range c.EstimateWindows {
		if w < time.Hour || w%time.Hour != 0 || w > c.EstimateHistory/2 {
			errs = append(errs, fmt.Errorf("analyze.estimate_windows: %s is not a number of hours up to half of estimate_history", w))
		}
	}
	for model, m := range c.Models {
		if err := m.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("model %q: %w", model, err))
		}
	}
	return errors.Join(errs...)
}

// forecast returns how estimates of a model look back.
func (c Config) forecast(model plumbline.Model) forecast.Config {
	f := forecast.DefaultConfig()
	f.History, f.Positive, f.Arrival = c.EstimateHistory, c.Models[model].Positive, c.Models[model].arrival()
	return f
}
