package decode

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const testKnown = 1_790_000_000_000 // 2026-09-21T14:13:20Z

func event(fields string) string {
	return `{"prediction_id":"p","model":"m","deploy_hash":"d","ts":1790000000000` + fields + `}`
}

func seeds() []string {
	return []string{
		event(""),
		event(`,"features":{"distance":733,"origin":"ATL","hour":17,"late":false,"gate":null},"segments":{"region":"eu","tier":2,"vip":true},"score":0.31,"predicted":"late","latency_ms":12.5,"status":"ok","weight":2.5,"propensity":0.25,"stage":"canary"`),
		event(`,"predicted":1e3,"unknown":{"a":[1,2,{"b":null}]},"more":[]`),
		event(`,"predicted":true,"features":{"\u00e9\n\"":"\ud834\udd1e/\/"}`),
		`{"ts":"2026-09-21T14:13:20.123456Z","prediction_id":"p","model":"m","deploy_hash":"d"}`,
		` { "ts" : "2026-09-21T16:13:20+02:00" , "prediction_id" : "p" , "model" : "m" , "deploy_hash":"d","features":{ } } `,
		event(`,"features":{"a":1,"a":2}`), event(`,"score":"0.5"`), event(`,"ts":1`), event(`,"score":1e999`), event(`,"score":-0.0`),
		event(`,"features":{"a":NaN,"b":Infinity,"c":-Infinity}`), event(`,"x":"\ud834"`), `[]`, `{}`, `{"a":1,}`, `nul`, ``, "\x00",
		event(`,"votes":["a",true,1,1.0,null,"\u0061"],"scores":[0.1,0.4,null],"explanation":{"a":[1]}`), event(`,"disagreement":0.5,"explained":false,"votes":[],"explanation":""`),
		event(`,"predicted":9007199254740992`), event(`,"predicted":-9007199254740991,"score":9007199254740993`), event(`,"votes":[1,-9007199254740992]`), event(`,"predicted":9007199254740993e0`),
	}
}

func TestPredictionFields(t *testing.T) {
	p := NewJSONPredictions(DefaultLimits())
	for i, text := range []string{seeds()[1], seeds()[3], seeds()[5]} {
		if err := p.Append(Record{Offset: int64(i), Known: testKnown, Value: []byte(text)}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want, err := oracle([]byte(text), DefaultLimits(), testKnown)
		if err != nil {
			t.Fatal(err)
		}
		compareRow(t, p.Predictions, i, want)
	}
	if got := string(p.SegmentTexts.Value(p.SegmentValues[1])); got != "2" {
		t.Errorf("segment tier = %q, want it as it was written", got)
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	tests := []struct {
		name, text string
		reason     Reason
		field      string
	}{
		{"empty", ``, Unparsable, ""},
		{"array", `[]`, Unparsable, ""},
		{"cut", `{"prediction_id":"p"`, Unparsable, ""},
		{"trailing comma", `{"prediction_id":"p",}`, Unparsable, ""},
		{"two objects", event("") + `{}`, Unparsable, ""},
		{"control byte", event(",\"status\":\"a\nb\""), Unparsable, "status"},
		{"leading zero", event(`,"score":01`), Unparsable, "score"},
		{"bare point", event(`,"score":1.`), Unparsable, "score"},
		{"bare exponent", event(`,"score":1e`), Unparsable, "score"},
		{"no id", `{"model":"m","deploy_hash":"d","ts":1790000000000}`, MissingField, "prediction_id"},
		{"null id", `{"prediction_id":null,"model":"m","deploy_hash":"d","ts":1790000000000}`, MissingField, "prediction_id"},
		{"empty model", `{"prediction_id":"p","model":"","deploy_hash":"d","ts":1790000000000}`, MissingField, "model"},
		{"no deploy", `{"prediction_id":"p","model":"m","ts":1790000000000}`, MissingField, "deploy_hash"},
		{"no ts", `{"prediction_id":"p","model":"m","deploy_hash":"d"}`, MissingField, "ts"},
		{"number for id", `{"prediction_id":7}`, WrongType, "prediction_id"},
		{"text for score", event(`,"score":"0.5"`), WrongType, "score"},
		{"bool for ts", `{"ts":true}`, WrongType, "ts"},
		{"array for features", event(`,"features":[1]`), TooNested, "features"},
		{"text for features", event(`,"features":"a"`), WrongType, "features"},
		{"array for a class", event(`,"predicted":[1]`), TooNested, "predicted"},
		{"nested feature", event(`,"features":{"a":{"b":1}}`), TooNested, "features.a"},
		{"deep unknown", event(`,"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20)), TooNested, "x"},
		{"stage", event(`,"stage":"test"`), BadValue, "stage"},
		{"empty stage", event(`,"stage":""`), BadValue, "stage"},
		{"empty status", event(`,"status":""`), BadValue, "status"},
		{"empty class", event(`,"predicted":""`), BadValue, "predicted"},
		{"weight", event(`,"weight":0`), BadValue, "weight"},
		{"propensity of 0", event(`,"propensity":0`), BadValue, "propensity"},
		{"propensity over 1", event(`,"propensity":1.01`), BadValue, "propensity"},
		{"propensity that is none", event(`,"propensity":NaN`), BadValue, "propensity"},
		{"infinite weight", event(`,"weight":Infinity`), BadValue, "weight"},
		{"fraction of a millisecond", `{"ts":1.5}`, BadValue, "ts"},
		{"date", `{"ts":"2026-09-21"}`, BadValue, "ts"},
		{"30 February", `{"ts":"2026-02-30T00:00:00Z"}`, BadValue, "ts"},
		{"long id", `{"prediction_id":"` + long + `"}`, BadValue, "prediction_id"},
		{"huge number", event(`,"score":1e999`), BadValue, "score"},
		{"empty feature name", event(`,"features":{"":1}`), BadValue, "features"},
		{"bad UTF-8", event(",\"status\":\"\xff\""), BadText, "status"},
		{"NUL", event(`,"status":"\u0000"`), BadText, "status"},
		{"raw NUL", event(",\"status\":\"\x00\""), BadText, "status"},
		{"lone surrogate", event(`,"status":"\ud834x"`), BadText, "status"},
		{"feature twice", event(`,"features":{"a":1,"a":1}`), DuplicateKey, "features.a"},
		{"features twice", event(`,"features":{},"features":{}`), DuplicateKey, "features"},
		{"segment twice", event(`,"segments":{"a":"1","a":"2"}`), DuplicateKey, "segments.a"},
		{"model twice", event(`,"model":"other"`), DuplicateKey, "model"},
		{"ten years off", strings.Replace(event(""), "1790000000000", "1474000000000", 1), TimeOutOfRange, "ts"},
		{"two hours ahead", strings.Replace(event(""), "1790000000000", "1790007200000", 1), TimeOutOfRange, "ts"},
		{"seconds for milliseconds", strings.Replace(event(""), "1790000000000", "1790000000", 1), TimeOutOfRange, "ts"},
	}
	for _, tt := range tests {
		p := NewJSONPredictions(DefaultLimits())
		err := p.Append(Record{Offset: 0, Known: testKnown, Value: []byte(tt.text)})
		var refused *Error
		if !errors.As(err, &refused) || refused.Reason != tt.reason || refused.Field != tt.field || refused.Hint == "" {
			t.Errorf("%s: %v, want %s of %q", tt.name, err, tt.reason, tt.field)
		}
		if p.Len() != 0 || p.Features.Len() != 0 || p.Values.Len() != 0 || len(p.Numbers.Keys) != 0 {
			t.Errorf("%s: the columns have changed", tt.name)
		}
	}
}

func TestLimits(t *testing.T) {
	limits := Limits{MaxBytes: 200, MaxFeatures: 3, MaxAge: time.Hour, MaxAhead: time.Minute}
	for name, tt := range map[string]struct {
		rec    Record
		reason Reason
	}{
		"size":     {Record{Offset: 0, Known: testKnown, Value: []byte(event(`,"x":"` + strings.Repeat("y", 200) + `"`))}, TooLarge},
		"features": {Record{Offset: 0, Known: testKnown, Value: []byte(event(`,"features":{"a":1,"b":1,"c":1,"d":1}`))}, TooManyFeatures},
		"no time":  {Record{Offset: 0, Known: -1, Value: []byte(event(""))}, TimeOutOfRange},
		"micros":   {Record{Offset: 0, Known: testKnown * 1000, Value: []byte(event(""))}, TimeOutOfRange},
		"old":      {Record{Offset: 0, Known: testKnown + 3_600_001, Value: []byte(event(""))}, TimeOutOfRange},
		"new":      {Record{Offset: 0, Known: testKnown - 60_001, Value: []byte(event(""))}, TimeOutOfRange},
	} {
		var refused *Error
		if err := NewJSONPredictions(limits).Append(tt.rec); !errors.As(err, &refused) || refused.Reason != tt.reason {
			t.Errorf("%s: %v, want %s", name, err, tt.reason)
		}
	}
	for name, rec := range map[string]Record{
		"features": {Known: testKnown, Value: []byte(event(`,"features":{"a":1,"b":1,"c":1}`))},
		"old":      {Known: testKnown + 3_600_000, Value: []byte(event(""))},
		"new":      {Known: testKnown - 60_000, Value: []byte(event(""))},
	} {
		if err := NewJSONPredictions(limits).Append(rec); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPythonsNumbers(t *testing.T) {
	p := NewJSONPredictions(DefaultLimits())
	if err := p.Append(Record{Offset: 0, Known: testKnown, Value: []byte(seeds()[11])}); err != nil {
		t.Fatal(err)
	}
	if v := p.NumberValues; !math.IsNaN(v[0]) || !math.IsInf(v[1], 1) || !math.IsInf(v[2], -1) {
		t.Errorf("NaN, Infinity, -Infinity became %v", v)
	}
}

func TestUnknownFieldsAreCounted(t *testing.T) {
	p := NewJSONPredictions(DefaultLimits())
	if err := p.Append(Record{Offset: 0, Known: testKnown, Value: []byte(seeds()[2])}); err != nil {
		t.Fatal(err)
	}
	if p.Unknown != 2 {
		t.Errorf("%d unknown fields, want 2", p.Unknown)
	}
}

func TestLabels(t *testing.T) {
	text := func(label string) []byte {
		return []byte(`{"prediction_id":"p","model":"m","ts":1790000000000` + label + `}`)
	}
	l := NewJSONLabels(DefaultLimits())
	for i, label := range []string{`,"label":"late"`, `,"label":false`, `,"label":2.5`, `,"label":null`} {
		if err := l.Append(Record{Offset: int64(i), Known: testKnown, Value: text(label)}); err != nil {
			t.Fatalf("%s: %v", label, err)
		}
	}
	for name, tt := range map[string]struct {
		text   []byte
		reason Reason
		field  string
	}{
		"no label":     {text(``), MissingField, "label"},
		"empty class":  {text(`,"label":""`), BadValue, "label"},
		"array":        {text(`,"label":[]`), TooNested, "label"},
		"twice":        {text(`,"label":1,"label":1`), DuplicateKey, "label"},
		"no id":        {[]byte(`{"model":"m","ts":1790000000000,"label":1}`), MissingField, "prediction_id"},
		"ten years":    {[]byte(`{"prediction_id":"p","model":"m","label":1,"ts":"2016-09-21T14:13:20Z"}`), TimeOutOfRange, "ts"},
		"tombstone":    {nil, Unparsable, ""},
		"not an event": {[]byte(`"x"`), Unparsable, ""},
	} {
		var refused *Error
		if err := l.Append(Record{Offset: 9, Known: testKnown, Value: tt.text}); !errors.As(err, &refused) || refused.Reason != tt.reason || refused.Field != tt.field {
			t.Errorf("%s: %v, want %s of %q", name, err, tt.reason, tt.field)
		}
	}
	if l.Len() != 4 || string(l.Class.At(0)) != "late" || string(l.Class.At(1)) != "false" || l.Value.Values[2] != 2.5 || fmt.Sprint(l.Deleted) != "[0 0 0 1]" {
		t.Errorf("labels: %+v", l)
	}
}

func TestDeployments(t *testing.T) {
	d := NewJSONDeployments(DefaultLimits())
	good := `{"model":"m","deploy_hash":"h","ts":1790000000000,"version":"v2","by":"b","commit":"c","dataset_hash":"dh","feature_job":"fj","note":"n"}`
	if err := d.Append(Record{Offset: 0, Known: testKnown, Value: []byte(good)}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"v2", "b", "c", "dh", "fj", "n"} {
		if got := string(d.texts()[i].At(0)); got != want {
			t.Errorf("text %d = %q, want %q", i, got, want)
		}
	}
	for name, tt := range map[string]struct {
		text   string
		reason Reason
	}{
		"no hash": {`{"model":"m","ts":1790000000000}`, MissingField},
		"twice":   {strings.Replace(good, `"by"`, `"note"`, 1), DuplicateKey},
		"number":  {strings.Replace(good, `"v2"`, `2`, 1), WrongType},
	} {
		var refused *Error
		if err := d.Append(Record{Offset: 0, Known: testKnown, Value: []byte(tt.text)}); !errors.As(err, &refused) || refused.Reason != tt.reason {
			t.Errorf("%s: %v, want %s", name, err, tt.reason)
		}
	}
	if d.Len() != 1 {
		t.Errorf("%d rows, want 1", d.Len())
	}
}

// A batch with refused events among good ones holds exactly what the good ones
// alone would have made.
func TestRefusedEventsLeaveNoTrace(t *testing.T) {
	good := func(i int) []byte {
		return []byte(event(fmt.Sprintf(`,"features":{"f%d":%d,"c%d":"v%d","n%d":null},"segments":{"s%d":"t%d"}`, i%7, i, i%5, i%11, i%3, i%4, i%6)))
	}
	bad := func(i int) []byte {
		return []byte(event(fmt.Sprintf(`,"features":{"bad%d":%d,"badc%d":"bad%d","badn":null},"segments":{"bads":"badt%d"},"score":"x"`, i, i, i, i, i)))
	}
	mixed, clean := NewJSONPredictions(DefaultLimits()), NewJSONPredictions(DefaultLimits())
	for i := range 2000 {
		rec := Record{Offset: int64(i), Known: testKnown, Value: good(i)}
		if err := errors.Join(mixed.Append(rec), clean.Append(rec)); err != nil {
			t.Fatal(err)
		}
		if err := mixed.Append(Record{Offset: int64(i), Known: testKnown, Value: bad(i)}); err == nil {
			t.Fatal("a bad event is stored")
		}
	}
	for _, d := range [][2]*Dict{{&mixed.Features, &clean.Features}, {&mixed.Values, &clean.Values}, {&mixed.SegmentKeys, &clean.SegmentKeys}, {&mixed.SegmentTexts, &clean.SegmentTexts}} {
		if string(d[0].text.Bytes) != string(d[1].text.Bytes) || d[0].Len() != d[1].Len() {
			t.Error("a dictionary holds names of refused events")
		}
	}
	for i := range clean.Len() {
		if got, want := asText(t, readRow(mixed.Predictions, i)), asText(t, readRow(clean.Predictions, i)); got != want {
			t.Fatalf("row %d\n got %s\nwant %s", i, got, want)
		}
	}
}

func TestPickCopiesRows(t *testing.T) {
	p := NewJSONPredictions(DefaultLimits())
	for i, text := range []string{seeds()[0], seeds()[1], seeds()[3]} {
		if err := p.Append(Record{Offset: int64(i), Known: testKnown, Value: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	q := NewJSONPredictions(DefaultLimits())
	for _, i := range []int{2, 0, 1} {
		q.Pick(p.Predictions, i)
	}
	for at, i := range []int{2, 0, 1} {
		if got, want := asText(t, readRow(q.Predictions, at)), asText(t, readRow(p.Predictions, i)); got != want || q.Source.Offset[at] != int64(i) {
			t.Errorf("row %d picked\n got %s\nwant %s", i, got, want)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1", "1.5", "123456789012345678901", "1e22", "1E-5", "0.1", "9007199254740993", "-1.7976931348623157e308", "5e-324", "00", "1.", ".5", "1e", "1e400", "1e-400", "0.30000000000000004"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "_xXpPnNiI+") && !strings.ContainsAny(text, "eE") {
			return // shapes that only ParseFloat knows
		}
		s := scanner{b: []byte(text)}
		got, err := s.number()
		if err != nil || s.i != len(text) {
			return
		}
		want, wantErr := strconv.ParseFloat(text, 64)
		if wantErr != nil || roundedToZero(text, got) || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q is %v, want %v (%v)", text, got, want, wantErr)
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-09-21T14:13:20Z", "2026-09-21T14:13:20.999999999Z", "2024-02-29T23:59:59.5Z", "1900-02-29T00:00:00Z", "2026-09-21T14:13:20+02:00", "2026-09-21T14:13:20.Z", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-09-21T24:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTime([]byte(text))
		want, wantErr := time.Parse(time.RFC3339Nano, text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, time.Parse says %v", text, err, wantErr)
		}
		if err == nil && got != want.UnixMilli() {
			t.Fatalf("%q is %d, want %d", text, got, want.UnixMilli())
		}
	})
}

// wide is the event of facts/kafka.md: 20 numbers and 3 categories.
func wide(i int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"prediction_id":"9f86d081-884c-7d65-9a2f-%012d","model":"flight-delay","deploy_hash":"3f9c2d71","stage":"production","ts":%d,"features":{`, i, testKnown-int64(i%60_000))
	for f := range 20 {
		fmt.Fprintf(&b, `"feature_%02d":%.4f,`, f, float64(i*(f+3)%10_000)/7)
	}
	fmt.Fprintf(&b, `"origin":"A%02d","destination":"B%02d","carrier":"C%d"},"score":0.%04d,"predicted":"late","latency_ms":12.%d,"status":"ok"}`, i%50, i%37, i%9, i%10_000, i%100)
	return []byte(b.String())
}

func TestNoAllocationPerEvent(t *testing.T) {
	p := NewJSONPredictions(DefaultLimits())
	events := make([][]byte, 2000)
	for i := range events {
		events[i] = wide(i)
	}
	fill := func() {
		p.Reset()
		for i, e := range events {
			if err := p.Append(Record{Offset: int64(i), Known: testKnown, Value: e}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	if n := allocations(5, 2, fill); n > 2 {
		t.Errorf("%v allocations for %d events, want none", n, len(events))
	}
}

// allocations returns how many f makes a run, of a few tries the first with no
// more than most: what else the process does allocates too.
func allocations(runs int, most float64, f func()) (n float64) {
	for range 5 {
		if n = testing.AllocsPerRun(runs, f); n <= most {
			break
		}
	}
	return n
}

func BenchmarkDecode(b *testing.B) {
	events := make([][]byte, 10_000)
	size := 0
	for i := range events {
		events[i] = wide(i)
		size += len(events[i])
	}
	p := NewJSONPredictions(DefaultLimits())
	b.SetBytes(int64(size / len(events)))
	b.ReportAllocs()
	n, begun := 0, cpuSeconds(b)
	for b.Loop() {
		if n%60_000 == 0 {
			p.Reset()
		}
		if err := p.Append(Record{Offset: int64(n), Known: testKnown, Value: events[n%len(events)]}); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/(cpuSeconds(b)-begun), "events/cpu-s")
}

// cpuSeconds returns the CPU time of the process: on a shared machine it says
// more than the clock.
func cpuSeconds(tb testing.TB) float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// TestMutatedEvents does what FuzzPrediction does, on the same mutations every
// time.
func TestMutatedEvents(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	seeds := seeds()
	alphabet := []byte(`{}[]":,0123456789.eE+-tfnulrasNI \\u` + "\x00\xff\n\xc3\xa9")
	stored := 0
	for range 60_000 {
		text := []byte(seeds[r.IntN(len(seeds))])
		for range r.IntN(4) {
			if len(text) == 0 {
				break
			}
			at := r.IntN(len(text))
			switch r.IntN(3) {
			case 0:
				text[at] = alphabet[r.IntN(len(alphabet))]
			case 1:
				text = slices.Delete(text, at, min(len(text), at+1+r.IntN(8)))
			case 2:
				from := r.IntN(len(text))
				text = slices.Insert(text, at, slices.Clone(text[from:min(len(text), from+r.IntN(12))])...)
			}
		}
		if againstOracle(t, text) {
			stored++
		}
	}
	if stored < 5_000 {
		t.Errorf("only %d mutated events are stored: the test has become blind", stored)
	}
}

// What decoders have looked up stays known behind a bad event, unless that brought
// names that are taken back.
func TestBadEventsKeepWhatIsKnown(t *testing.T) {
	p := NewJSONPredictions(DefaultLimits())
	add := func(features, rest string) error {
		return p.Append(Record{Known: 1_760_000_000_000, Value: fmt.Appendf(nil, `{"prediction_id":"a","model":"m","deploy_hash":"d","ts":1760000000000,"features":{%s}%s}`, features, rest)})
	}
	if err := add(`"a":1,"b":"x"`, ``); err != nil {
		t.Fatal(err)
	}
	life := p.life
	if err := add(`"a":2,"b":"x"`, `,"score":"high"`); err == nil || p.life != life {
		t.Errorf("%v: an event without new names ends the life %d of the names: %d", err, life, p.life)
	}
	for _, fresh := range []string{`"c":1`, `"b":"y"`} {
		if err := add(fresh, `,"score":"high"`); err == nil || p.life == life {
			t.Errorf("%v: %s is taken back and life is still %d", err, fresh, life)
		}
		life = p.life
	}
	if err := add(`"d":2,"a":1,"b":"z"`, ``); err != nil || p.Features.Len() != 3 || string(p.Features.Value(p.Numbers.Keys[1])) != "d" {
		t.Errorf("%v, %d features", err, p.Features.Len())
	}
}
