package privacy

import (
	"fmt"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// The rule of a segment's key goes over the value of a reading, whatever the
// policy does with features; other models' readings stay.
func TestKPIsFollowTheRulesOfSegments(t *testing.T) {
	f := filter(t, `
keys_file: keys
models:
  - model: hidden
    segments: {region: keep, customer: hash, city: {truncate: 2}, tenant: drop, "*": drop}
  - model: features
    features: {email: drop}
`)
	known := rotation.Add(-time.Hour).UnixMilli()
	var hash string
	for _, k := range f.Keys() {
		if k.ID == "old" {
			hash = string(k.Hash([]byte("ann")))
		}
	}
	k := decode.NewJSONKPIs(decode.DefaultLimits())
	segments := [][2]string{
		{"", ""}, {"region=eu", "region=eu"}, {"customer=ann", "customer=" + hash}, {"city=Ålesund", "city=Ål"}, {"tenant=t1", "tenant="}, {"unheard=of", "unheard="}, {"bare", "="},
		// Joint ones, in any order.
		{"region=eu,customer=ann", "region=eu,customer=" + hash}, {"customer=ann,region=eu", "customer=" + hash + ",region=eu"},
		{"region=eu,tenant=t1,city=Ålesund", "region=eu,tenant=,city=Ål"}, {"region=eu,unheard=of", "region=eu,unheard="},
		{"region=eu, tenant=t1", "region=eu, tenant="}, {"bare,tenant=t1", "=,tenant="},
		// A comma of a value is no end of it.
		{"tenant=Doe, Ann,region=eu", "tenant=,region=eu"}, {"tenant=Doe, Ann", "tenant="}, {"region=eu,", "region=eu,"}, {"tenant=a=b,c", "tenant="}, {",tenant=t1", ",tenant="},
	}
	for _, model := range []string{"hidden", "features", "free"} {
		for _, s := range segments {
			segment := s[0]
			text := fmt.Sprintf(`{"model":%q,"name":"n","ts":%d,"value":1,"segment":%q}`, model, known, segment)
			if err := k.Append(decode.Record{Known: known, Value: []byte(text)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := f.NewColumns().KPIs(k.KPIs, decode.NewKPIs(decode.Limits{}))
	for i := range k.Len() {
		expected := string(k.Segment.At(i))
		if i < len(segments) {
			expected = segments[i][1]
		}
		if segment := string(got.Segment.At(i)); segment != expected {
			t.Errorf("%s of %s became %q, want %q", k.Segment.At(i), k.Model.At(i), segment, expected)
		}
	}
	if got.Len() != k.Len() {
		t.Errorf("%d of %d readings are left", got.Len(), k.Len())
	}
	if (*Columns)(nil).KPIs(k.KPIs, nil) != k.KPIs {
		t.Error("no policy changes readings")
	}
}
