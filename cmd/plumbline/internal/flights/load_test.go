package flights

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/parquet/schema"
)

func TestLoadReturnsWhatWasWritten(t *testing.T) {
	x := syntheticFlights(8)
	data, err := Load(goodShape().write(t, x))
	if err != nil {
		t.Fatal(err)
	}
	if data.Len() != len(x.date) || data.Dropped != 0 {
		t.Fatalf("%d flights, %d dropped; %d were written", data.Len(), data.Dropped, len(x.date))
	}
	for i := range x.date {
		if data.departure[i].time().UnixMicro() != x.date[i] || int64(data.delay[i]) != x.delay[i] || int64(data.distance[i]) != x.distance[i] ||
			data.airports[data.origin[i]] != x.origin[i] || data.airports[data.destination[i]] != x.destination[i] || int(data.row[i]) != i {
			t.Fatalf("flight %d differs from what was written", i)
		}
	}
}

func TestLoadKeepsOnlyTheSpans(t *testing.T) {
	x := syntheticFlights(8)
	spans := []Span{{january, january.AddDate(0, 0, 1)}, {january.AddDate(0, 0, 5), january.AddDate(0, 0, 6)}}
	path := goodShape().write(t, x)
	part, err := Load(path, spans...)
	if err != nil {
		t.Fatal(err)
	}
	var want []int32
	for i, micros := range x.date {
		if day := (micros - january.UnixMicro()) / (24 * time.Hour).Microseconds(); day == 0 || day == 5 {
			want = append(want, int32(i))
		}
	}
	if len(want) != part.Len() {
		t.Fatalf("%d flights in the spans, want %d", part.Len(), len(want))
	}
	for i, row := range want {
		if part.row[i] != row {
			t.Fatalf("flight %d is row %d, want %d", i, part.row[i], row)
		}
	}
}

func TestLoadDropsRecordingErrors(t *testing.T) {
	x := &table{}
	for i, delay := range []int64{5, -1116, -120, -121, 1 << 20, 0} {
		x.add(january.Add(time.Duration(i)*time.Minute), delay, 300, "ORD", "ATL")
	}
	x.add(january.Add(time.Hour), 0, 0, "ORD", "ORD")
	data, err := Load(goodShape().write(t, x))
	if err != nil {
		t.Fatal(err)
	}
	if data.Len() != 3 || data.Dropped != 4 {
		t.Errorf("%d kept and %d dropped, want 3 and 4", data.Len(), data.Dropped)
	}
}

func TestLoadNamesTheFileAndTheFault(t *testing.T) {
	day := syntheticFlights(1)
	unsorted := &table{}
	unsorted.add(january.Add(time.Hour), 0, 300, "ORD", "ATL")
	unsorted.add(january, 0, 300, "ORD", "ATL")
	quoted := &table{}
	quoted.add(january, 0, 300, `O"D`, "ATL")
	ancient := &table{}
	ancient.add(time.Date(1903, 12, 17, 10, 35, 0, 0, time.UTC), 0, 1, "KTY", "HWK")
	shape := func(change func(*fileShape)) fileShape { s := goodShape(); change(&s); return s }
	text := filepath.Join(t.TempDir(), "text.parquet")
	if err := os.WriteFile(text, []byte("this is no parquet file, however long it may be"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"missing":      {filepath.Join(t.TempDir(), "none"), "make data"},
		"text":         {text, "parquet: "},
		"column":       {shape(func(s *fileShape) { s.delayName = "delays" }).write(t, day), `no column "delay"`},
		"unit":         {shape(func(s *fileShape) { s.dateLogical = schema.NewTimestampLogicalType(false, schema.TimeUnitMillis) }).write(t, day), "microseconds"},
		"no timestamp": {shape(func(s *fileShape) { s.dateLogical = schema.NoLogicalType{} }).write(t, day), "not a timestamp"},
		"null":         {shape(func(s *fileShape) { s.nullable, s.nullAt = true, 3 }).write(t, day), "nulls"},
		"unsorted":     {goodShape().write(t, unsorted), "row 1 departs at 2001-01-01 00:00:00"},
		"airport":      {goodShape().write(t, quoted), "not the code of an airport"},
		"ancient":      {goodShape().write(t, ancient), "row 0"},
	} {
		_, err := Load(c.path)
		if err == nil {
			t.Errorf("%s: loaded", name)
			continue
		}
		if !strings.Contains(err.Error(), c.path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error %q names not both %q and %q", name, err, c.path, c.want)
		}
	}
}

func TestLoadNullableColumnsWithoutNulls(t *testing.T) {
	s := goodShape()
	s.nullable = true
	x := syntheticFlights(1)
	data, err := Load(s.write(t, x))
	if err != nil {
		t.Fatal(err)
	}
	if data.Len() != len(x.date) {
		t.Errorf("%d flights, want %d", data.Len(), len(x.date))
	}
}

// Whatever a damaged file holds, Load returns flights in order or an error.
// Airports were once numbered in the order of a map, and the deploy hash changed
// from run to run.
func TestLoadNumbersAirportsTheSameWayEachTime(t *testing.T) {
	path := goodShape().write(t, syntheticFlights(8))
	first, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(again.airports, first.airports) {
			t.Fatalf("airports %v, then %v", first.airports, again.airports)
		}
	}
}

func FuzzLoad(f *testing.F) {
	good, err := os.ReadFile(goodShape().write(f, syntheticFlights(1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, byte(0xff), 0)
	f.Add(len(good)-20, byte(1), 0)
	f.Add(len(good)/2, byte(0x80), 0)
	f.Add(4, byte(7), 100)
	f.Fuzz(func(t *testing.T, at int, flip byte, cut int) {
		damaged := append([]byte(nil), good...)
		if at >= 0 && at < len(damaged) {
			damaged[at] ^= flip
		}
		if cut > 0 && cut < len(damaged) {
			damaged = damaged[:len(damaged)-cut]
		}
		path := filepath.Join(t.TempDir(), "damaged.parquet")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := Load(path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error %q does not name the file", err)
			}
			return
		}
		for i := 1; i < data.Len(); i++ {
			if data.departure[i] < data.departure[i-1] {
				t.Fatalf("flight %d departs before flight %d", i, i-1)
			}
		}
	})
}
