package rules

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with the file, or rewrites the file with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with go test -update", err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", path, got, want)
	}
}

// parse reads the OpenSLO documents in data. Name is what errors call the file.
func parse(name string, data []byte) ([]plumbline.SLO, error) {
	c := newCatalog()
	c.read(name, data)
	return c.slos()
}

func TestParseGood(t *testing.T) {
	slos, err := ParseFiles("testdata/flights.yml")
	if err != nil {
		t.Fatal(err)
	}
	want := plumbline.SLO{
		Name: "flights-accuracy", Model: "flight-delay", Owner: "ml-oncall",
		Measure: plumbline.MeasureAccuracy, Target: 0.7, Period: 28 * 24 * time.Hour,
		MinCoverage: 0.3, Runbook: "slo-burn", Service: "flights", Where: "testdata/flights.yml:8",
		Description: "Seven in ten flights are predicted right.",
	}
	want.SLI.Kind = plumbline.SLIQuality
	if len(slos) != 1 || !reflect.DeepEqual(slos[0], want) {
		t.Fatalf("got %+v, want %+v", slos, want)
	}
	slos, err = ParseFiles("testdata/awkward.yml")
	if err != nil {
		t.Fatal(err)
	}
	if slos[0].Target != 0.999 || slos[0].MinCoverage != DefaultMinCoverage {
		t.Errorf("targetPercent 99.9 gave %v, absent coverage %v", slos[0].Target, slos[0].MinCoverage)
	}
}

func TestModelDefaultsToService(t *testing.T) {
	data, err := os.ReadFile("testdata/flights.yml")
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), "    plumbline.dev/model: flight-delay\n", "", 1))
	slos, err := parse("x.yml", data)
	if err != nil {
		t.Fatal(err)
	}
	if slos[0].Model != "flights" {
		t.Errorf("model is %q", slos[0].Model)
	}
}

// TestParseBad holds every error to its golden: the place, the problem, the fix.
func TestParseBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d bad files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			slos, err := ParseFiles(file)
			if err == nil {
				t.Fatalf("parsed to %+v", slos)
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, file+":") || !strings.Contains(line, "; ") {
					t.Errorf("%q does not name the file, or no fix", line)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yml")+".err", []byte(err.Error()+"\n"))
		})
	}
}

func TestParseFilesRefusesOneNameTwice(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile("testdata/flights.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.yml", "b.yml"} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if slos, err := ParseFiles(filepath.Join(dir, "a.yml")); err != nil || len(slos) != 1 {
		t.Fatalf("one file: %v, %v", slos, err)
	}
	if _, err := ParseFiles(filepath.Join(dir, "*.yml")); err == nil || !strings.Contains(err.Error(), "named flights-accuracy, the other in") {
		t.Errorf("two files of one name: %v", err)
	}
	if _, err := ParseFiles(filepath.Join(dir, "*.yaml")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a pattern that matches nothing: %v", err)
	}
}

func TestParseDuration(t *testing.T) {
	day := 24 * time.Hour
	for s, want := range map[string]time.Duration{"5m": 5 * time.Minute, "12h": 12 * time.Hour, "30d": 30 * day, "4w": 28 * day} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "d", "7", "0d", "-1d", "1.5d", "1M", "1Q", "1Y", "7 d", "99999999999w", "4294967295w", "7D"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("%q parsed to %v", s, got)
		}
	}
}

// FuzzParse holds that no input panics, that SLOs and an error never come
// together, that what parses is in range, and that rules of it are ones
// Prometheus loads.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yml", "testdata/bad/*.yml", "testdata/openslo/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		slos, err := parse("fuzz.yml", data)
		if err != nil {
			if len(slos) > 0 {
				t.Fatalf("SLOs beside %v", err)
			}
			if !strings.Contains(err.Error(), "fuzz.yml") {
				t.Fatalf("%v does not name the file", err)
			}
			return
		}
		for _, s := range slos {
			if !(s.Target > 0 && s.Target < 1) || s.Period < minPeriod || s.Period > maxPeriod ||
				!(s.MinCoverage >= 0 && s.MinCoverage <= 1) || !rfc1123(string(s.Name)) || s.Model == "" || s.Owner == "" && s.Inert == "" {
				t.Fatalf("out of range: %+v", s)
			}
		}
		if rules, err := Generate(slos, DefaultGenerateConfig()); err == nil {
			mustLoad(t, rules)
		}
	})
}
