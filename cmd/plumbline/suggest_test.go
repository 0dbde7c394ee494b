package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestSuggestedFilesAreCorrect(t *testing.T) {
	candidates := []*candidate{
		{slo: plumbline.SLO{Target: 0.99, SLI: plumbline.SLI{Kind: plumbline.SLISuccess}}},
		{slo: plumbline.SLO{Target: 0.999, SLI: plumbline.SLI{Kind: plumbline.SLISuccess}}, pages: 3},
		{slo: plumbline.SLO{Target: 0.95, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: 0.25}}},
		{slo: plumbline.SLO{Target: 0.7, SLI: plumbline.SLI{Kind: plumbline.SLIQuality}}},
	}
	file := filepath.Join(t.TempDir(), "suggested.yml")
	if err := os.WriteFile(file, []byte(asYAML(`a "model": {}`, `ops: "night"`, candidates)), 0o600); err != nil {
		t.Fatal(err)
	}
	slos, err := rules.ParseFiles(file)
	if err != nil || len(slos) != 3 {
		t.Fatalf("%+v, %v", slos, err)
	}
	for i, want := range []float64{0.99, 0.95, 0.7} {
		if slos[i].Target != want || !slos[i].Shadow || slos[i].Model != `a "model": {}` || slos[i].Owner != `ops: "night"` {
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

// A model that is new has the rate of the hours in which it was there; an hour that makes
// targets lower is named.
func TestSuggestionsSayWhatTheyRestOn(t *testing.T) {
	end := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	s := span{end.AddDate(0, 0, -28), end}
	outage := end.Add(-time.Hour)
	young := traffic{requests: 10_000, good: 8500, first: uint32(end.Add(-2 * time.Hour).Unix()), worst: uint32(outage.Unix()), worstGood: 3510, worstRequests: 5000}
	if got := young.rate(s); got != 5000 {
		t.Errorf("%v predictions an hour, want 5000", got)
	}
	slo := plumbline.SLO{Name: "s", Model: "m", Owner: "o", Target: 0.99, Period: 28 * 24 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLISuccess}}
	if got := pagedIn(slo, young.rate(s)); got == pagedIn(slo, 10_000/(28*24.0)) || got != "; a 90 % outage is paged after 8m58s" {
		t.Errorf("at 5000 an hour: %q", got)
	}
	said := young.said("m", s)
	for _, want := range []string{"5000 predictions an hour", "first event in these days is 2h0m0s old", "success was 70.2 % in the hour from 2026-11-23T05:00:00Z, and 99.8 % without it"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	even := traffic{requests: 672_000, good: 671_000, first: uint32(s.from.Add(time.Second).Unix()), worst: uint32(outage.Unix()), worstGood: 990, worstRequests: 1000}
	if said := even.said("m", s); strings.Count(said, "\n") != 1 || !strings.Contains(said, "1000 predictions an hour") {
		t.Errorf("of a month without an outage:\n%s", said)
	}
}

// The statements say when a model came in first, and which hour was its worst.
func TestWhatCameInIsSeen(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	end := time.Date(2026, 10, 5, 6, 0, 0, 0, time.UTC)
	s := span{end.AddDate(0, 0, -7), end}
	statement := fmt.Sprintf(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, status, weight, half)
SELECT 'm', 'd', 'production', toString(number), fromUnixTimestamp64Milli(%d + number * 60000, 'UTC'), if(number >= 60 AND number %% 2 = 0, 'error', 'ok'), 1, '' FROM numbers(120)`, end.Add(-2*time.Hour).UnixMilli())
	if err := env.DB.Conn().Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	all, seen, err := candidatesOf(t.Context(), env.DB, "m", analyze.Feedback{}, s)
	want := traffic{requests: 120, good: 90, first: uint32(end.Add(-2 * time.Hour).Unix()), worst: uint32(end.Add(-time.Hour).Unix()), worstGood: 30, worstRequests: 60}
	if err != nil || seen != want || len(all) == 0 || seen.rate(s) != 60 {
		t.Errorf("%+v, %v, want %+v; %d candidates, %v an hour", seen, err, want, len(all), seen.rate(s))
	}
	if all, seen, err := candidatesOf(t.Context(), env.DB, "nobody", analyze.Feedback{}, s); err != nil || len(all) != 0 || seen.requests != 0 {
		t.Errorf("%+v %+v %v", all, seen, err)
	}
}
