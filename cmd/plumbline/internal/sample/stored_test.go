package sample

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// hiding is the policy of the tests; mode is that of its file of keys.
func hiding(t *testing.T, mode os.FileMode) privacy.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	keys := "k1 0123456789abcdef0123456789abcdef 2026-01-01T00:00:00Z 2026-04-01T00:00:00Z\nk2 another-secret-that-is-long-enough 2026-02-01T00:00:00Z\n"
	if err := os.WriteFile(path, []byte(keys), mode); err != nil {
		t.Fatal(err)
	}
	rule := func(action privacy.Action, to float64) privacy.Rule { return privacy.Rule{Action: action, To: to} }
	return privacy.Config{KeysFile: path, Models: []privacy.Policy{{
		Model: "m", PredictionID: privacy.Hash, RawRate: 0.5,
		Features: map[string]privacy.Rule{"customer": rule(privacy.Hash, 0), "number": rule(privacy.Hash, 0), "name": rule(privacy.Drop, 0), "gone": rule(privacy.Drop, 0), "salary": rule(privacy.Truncate, 1000), "city": rule(privacy.Truncate, 3)},
		Segments: map[string]privacy.Rule{"region": rule(privacy.Hash, 0)},
	}}}
}

const person = `,"features":{"customer":"c-81","number":7,"name":"Ada","gone":null,"salary":45678,"city":"Bremen","open":1.5},"segments":{"region":"eu"}`

// shown is what is said of a sample's only event under a policy.
func shown(t *testing.T, cfg privacy.Config, kind Kind, value string) string {
	t.Helper()
	stored, err := NewStored(cfg)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check([]byte(value), kind, at, decode.DefaultLimits(), stored)
	if err != nil || report.Refused() > 0 {
		t.Fatalf("%v, %+v", err, report)
	}
	var b strings.Builder
	for _, f := range report.Events[0].Fields {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return b.String()
}

func TestWhatIsStoredIsShown(t *testing.T) {
	cfg := hiding(t, 0o600)
	keys, err := privacy.ReadKeys(cfg.KeysFile)
	if err != nil {
		t.Fatal(err)
	}
	hashes := func(value string) (newest, older string) {
		return string(keys[1].Hash([]byte(value))), string(keys[0].Hash([]byte(value)))
	}
	customer, customerBefore := hashes("c-81")
	number, _ := hashes("7")
	id, idBefore := hashes("1")
	region, _ := hashes("eu")
	got := shown(t, cfg, Prediction, event("1", person))
	for _, want := range []string{
		`prediction_id: "` + id + `", hashed`,
		`features.customer: categorical "` + customer + `", hashed`,
		`features.customer@k1: categorical "` + customerBefore + `", hashed under an older key that is still in use`,
		`features.number: categorical "` + number + `", hashed`,
		"features.name: dropped", "features.gone: dropped",
		"features.salary: numeric 45000, cut down to a multiple of 1000",
		`features.city: categorical "Bre", cut to 3 characters`,
		"features.open: numeric 1.5",
		`segments.region: "` + region + `", hashed`,
		"score: 0.5",
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%q is not shown:\n%s", want, got)
		}
	}
	label := shown(t, cfg, Label, `{"prediction_id":"1","model":"m","ts":1772359200000,"label":"late"}`)
	if !strings.Contains(label, `prediction_id: "`+id+`", hashed`+"\n") || !strings.Contains(label, `prediction_id: "`+idBefore+`", hashed under an older key`) {
		t.Errorf("label:\n%s", label)
	}
	kpi := shown(t, cfg, KPI, `{"model":"m","name":"revenue","ts":1772359200000,"value":1,"segment":"region=eu"}`)
	if !strings.Contains(kpi, `segment: "region=`+region+`", by the rules of its segments`) {
		t.Errorf("KPI:\n%s", kpi)
	}
	if other := strings.Replace(event("1", person), `"m"`, `"other"`, 1); !strings.Contains(shown(t, cfg, Prediction, other), `features.name: categorical "Ada"`) {
		t.Error("a model without a policy does not keep everything")
	}
}

// A sample that is checked where the keys must not be says which values are hashed.
func TestHashesWithoutKeysAreNotShown(t *testing.T) {
	cfg := hiding(t, 0o644)
	for kind, value := range map[Kind]string{
		Prediction: event("1", person), Label: `{"prediction_id":"1","model":"m","ts":1772359200000,"label":"late"}`,
		KPI: `{"model":"m","name":"revenue","ts":1772359200000,"value":1,"segment":"region=eu"}`,
	} {
		got := shown(t, cfg, kind, value)
		if !strings.Contains(got, "not shown: privacy keys: "+cfg.KeysFile) || strings.Contains(got, "c-81") || strings.Contains(got, "Ada") || strings.Contains(got, `"eu"`) {
			t.Errorf("%s:\n%s", kind, got)
		}
	}
	got := shown(t, cfg, Prediction, event("1", person))
	for _, want := range []string{"features.name: dropped", "features.customer: hashed; ", "prediction_id: hashed; ", "segments.region: hashed; ", "features.salary: numeric 45000", "raw row: stored or not, as the hash of prediction_id decides"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not shown:\n%s", want, got)
		}
	}
}

// Of a model whose raw rows are sampled, each event says whether its own is stored.
func TestSampledRowsAreTold(t *testing.T) {
	stored, err := NewStored(privacy.Config{Models: []privacy.Policy{{Model: "m", RawRate: 0.5}}})
	if err != nil {
		t.Fatal(err)
	}
	source := decode.Source{Topic: "t"}.WithDefaults()
	for name, check := range map[string]func(string) (Report, error){
		"events": func(text string) (Report, error) {
			return Check([]byte(text), Prediction, at, decode.DefaultLimits(), stored)
		},
		"topic": func(text string) (Report, error) {
			return CheckSource([]byte(text), Envelope{}, source, at, decode.DefaultLimits(), stored)
		},
	} {
		report, err := check(many(func(i int) string { return fmt.Sprint(i) }))
		if err != nil {
			t.Fatal(err)
		}
		kept, left := 0, 0
		for _, e := range report.Events {
			if slices.Contains(e.Fields, Field{"raw row", "stored with 2 times its weight: raw_rate is 0.5"}) {
				kept++
			}
			if slices.Contains(e.Fields, Field{"raw row", "not stored, only counted in rollups: raw_rate is 0.5"}) {
				left++
			}
		}
		if kept == 0 || left == 0 || kept+left != manyEvents {
			t.Errorf("%s: %d stored and %d not, of %d", name, kept, left, manyEvents)
		}
	}
}
