package main

import (
	"slices"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/rules"
)

func TestSuggestedFilesAreCorrect(t *testing.T) {
	candidates := []*candidate{
		{slo: plumbline.SLO{Target: 0.99, SLI: plumbline.SLI{Kind: plumbline.SLISuccess}}},
		{slo: plumbline.SLO{Target: 0.999, SLI: plumbline.SLI{Kind: plumbline.SLISuccess}}, pages: 3},
		{slo: plumbline.SLO{Target: 0.95, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: 0.25}}},
		{slo: plumbline.SLO{Target: 0.7, SLI: plumbline.SLI{Kind: plumbline.SLIQuality}}},
	}
	slos, err := rules.Parse("suggested.yml", []byte(asYAML(`a "model": {}`, candidates)))
	if err != nil || len(slos) != 3 {
		t.Fatalf("%+v, %v", slos, err)
	}
	for i, want := range []float64{0.99, 0.95, 0.7} {
		if slos[i].Target != want || !slos[i].Shadow || slos[i].Model != `a "model": {}` {
			t.Errorf("%+v, want %v", slos[i], want)
		}
	}
}

func TestNiceNumbers(t *testing.T) {
	if got := below(0.9963); !slices.Equal(got, []float64{0.99, 0.995}) {
		t.Errorf("below 0.9963: %v", got)
	}
	if got := below(0.4); len(got) != 0 {
		t.Errorf("below 0.4: %v", got)
	}
	for v, want := range map[float64]float64{123.4: 130, 0.0521: 0.053, 99: 99, 1000: 1000} {
		if got := roundUp(v); got != want {
			t.Errorf("%v is rounded to %v, not %v", v, got, want)
		}
	}
}
