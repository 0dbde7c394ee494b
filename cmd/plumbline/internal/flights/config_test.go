package flights

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultConfigIsValid(t *testing.T) {
	if err := DefaultConfig(time.Now()).Validate(); err != nil {
		t.Error(err)
	}
	if err := syntheticConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesTheSetting(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"model name":      func(c *Config) { c.Model = `a"b` },
		"now is not set":  func(c *Config) { c.Now = time.Time{} },
		"cut":             func(c *Config) { c.Cut = c.Cut.Add(time.Second) },
		"backfill":        func(c *Config) { c.Backfill = 0 },
		"fault":           func(c *Config) { c.Fault = c.Backfill },
		"training span":   func(c *Config) { c.Training.To = c.Training.From },
		"training ends":   func(c *Config) { c.Training.To = c.Cut },
		"training every":  func(c *Config) { c.TrainingEvery = 0 },
		"affected share":  func(c *Config) { c.AffectedShare = 1.1 },
		"affected share ": func(c *Config) { c.AffectedShare = 0 },
	} {
		c := DefaultConfig(time.Now())
		change(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
		if _, err := NewReplay(&Data{}, c); err == nil {
			t.Errorf("a replay with a bad %s was made", want)
		}
	}
}

func TestNewReplayNeedsFlights(t *testing.T) {
	cfg := syntheticConfig()
	for want, days := range map[string]int{"no flight departs between": 8, "train": 0} {
		x := syntheticFlights(days)
		if days == 0 {
			x.add(cfg.Cut, 0, 300, "ORD", "ATL")
		}
		data, err := Load(goodShape().write(t, x))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewReplay(data, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d days: error %v, want %q in it", days, err, want)
		}
	}
}
