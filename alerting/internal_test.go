package alerting

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

func TestFrameFileDropsATornEndAtEveryByte(t *testing.T) {
	frames := appendFrame(appendFrame(nil, []byte("one")), bytes.Repeat([]byte("two"), 100))
	first := len(appendFrame(nil, []byte("one")))
	for cut := range len(frames) + 1 {
		path := filepath.Join(t.TempDir(), "frames")
		if err := os.WriteFile(path, frames[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		f, got, err := openFrameFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		switch {
		case cut == len(frames):
			want = len(frames)
		case cut >= first:
			want = first
		}
		if len(got) != want {
			t.Fatalf("cut at %d: %d bytes of whole frames, want %d", cut, len(got), want)
		}
		if err := errors.Join(f.Append(appendFrame(nil, []byte("three"))), f.Close()); err != nil {
			t.Fatal(err)
		}
		var contents []string
		f, got, err = openFrameFile(path)
		if err == nil {
			err = eachFrame(got, func(b []byte) error { contents = append(contents, string(b)); return nil })
		}
		if err != nil || contents[len(contents)-1] != "three" {
			t.Fatalf("cut at %d: %q, %v", cut, contents, err)
		}
		f.Close()
	}
}

func FuzzWholeFrames(f *testing.F) {
	f.Add([]byte{3, 'a', 'b', 'c', 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := wholeFrames(b)
		read := 0
		if err := eachFrame(b[:n], func(frame []byte) error {
			read += len(appendFrame(nil, frame))
			if len(frame) == 0 {
				return errors.New("an empty frame")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if read > n {
			t.Errorf("read %d bytes of %d", read, n)
		}
	})
}

// A file that cannot be written refuses everything until it is written anew,
// and loses nothing that the state still has.
func TestFrameFileMendsAfterAFailedWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "frames")
	f, _, err := openFrameFile(path)
	if err != nil {
		t.Fatal(err)
	}
	one, two, three := appendFrame(nil, []byte("one")), appendFrame(nil, []byte("two")), appendFrame(nil, []byte("three"))
	if err := f.Append(one); err != nil {
		t.Fatal(err)
	}
	f.file.Close() // the disk goes away
	if f.Append(two) == nil || f.Err() == nil || f.Append(two) == nil {
		t.Fatal("a write to a closed file succeeded")
	}
	err = f.Replace(func() ([]byte, error) {
		if f.Append(three) == nil { // refused, but kept for the new file
			t.Error("a broken file took a frame")
		}
		return append(append([]byte(nil), one...), two...), nil
	})
	if err != nil || f.Err() != nil {
		t.Fatalf("Replace: %v, %v", err, f.Err())
	}
	if err := f.Append(one); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if want := bytes.Join([][]byte{one, two, three, one}, nil); err != nil || !bytes.Equal(content, want) {
		t.Errorf("file holds %q, want %q, %v", content, want, err)
	}
}

func TestConfigNamesEveryProblem(t *testing.T) {
	good := DefaultConfig()
	good.DataDir = "data"
	good.Owners = []plumbline.OwnerEntry{{Name: "a", Models: []plumbline.Model{"m"}}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for key, spoil := range map[string]func(*Config){
		"data_dir":        func(c *Config) { c.DataDir = "" },
		"route_prefix":    func(c *Config) { c.RoutePrefix = "x" },
		"group_wait":      func(c *Config) { c.GroupWait = 0 },
		"repeat_interval": func(c *Config) { c.RepeatInterval = time.Second },
		"retention":       func(c *Config) { c.Retention = 0 },
		"explain_timeout": func(c *Config) { c.ExplainTimeout = -1 },
		"owners[1].name":  func(c *Config) { c.Owners = append(c.Owners, c.Owners[0]) },
		"owners[1].models": func(c *Config) {
			c.Owners = append(c.Owners, plumbline.OwnerEntry{Name: "b", Models: []plumbline.Model{"m"}})
		},
		"owners[0].models": func(c *Config) { c.Owners = []plumbline.OwnerEntry{{Name: "a", Models: []plumbline.Model{""}}} },
		"owners[0].name":   func(c *Config) { c.Owners = []plumbline.OwnerEntry{{}} },
		"service_owner":    func(c *Config) { c.ServiceOwner = "b" },
		"resolve_timeout":  func(c *Config) { c.ResolveTimeout = 0 },
		"restart_grace":    func(c *Config) { c.RestartGrace = 0 },
		"group_interval":   func(c *Config) { c.GroupInterval = 0 },
	} {
		c := good
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// A notification is remembered for 31 days, and for the retention where that is
// longer: only a repeat that would come after it is refused.
func TestRepeatsWithinTheMemoryOfNotifications(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		retention, repeat time.Duration
		refused           bool
	}{
		{retention: time.Hour, repeat: 4 * time.Hour},
		{retention: 5 * day, repeat: 7 * day},
		{retention: day, repeat: nflogRetention - time.Second},
		{retention: day, repeat: nflogRetention, refused: true},
		{retention: 60 * day, repeat: 45 * day},
		{retention: 60 * day, repeat: 60 * day, refused: true},
	} {
		c := DefaultConfig()
		c.DataDir, c.Retention, c.RepeatInterval = "data", test.retention, test.repeat
		err := c.Validate()
		if refused := err != nil && strings.Contains(err.Error(), "repeat_interval: "+test.repeat.String()); refused != test.refused || err != nil && !refused {
			t.Errorf("retention %s, repeat_interval %s: %v, want refused %t", test.retention, test.repeat, err, test.refused)
		}
	}
}

// Names that producers choose must neither break the routes nor match another
// model.
func TestRoutesQuoteNames(t *testing.T) {
	names := []plumbline.Model{"plain", `quo"te`, "back\\slash", "new\nline", "brace}", "täglich", ".*", "{{ .X }}", "a, severity=page", "'"}
	c := DefaultConfig()
	c.Owners = []plumbline.OwnerEntry{{Name: "own/er \"x\"", Models: names}}
	parsed, err := routes(c)
	if err != nil {
		t.Fatal(err)
	}
	// The first route is the heartbeat's, the second that of objectives on models of
	// other owners, the last that of the alerts without a model.
	if len(parsed.Route.Routes) != len(names)+3 || parsed.Route.Receiver != undeclared {
		t.Fatalf("%d routes to %q", len(parsed.Route.Routes), parsed.Route.Receiver)
	}
	tree := dispatch.NewRoute(parsed.Route, nil)
	for _, name := range names {
		matched := tree.Match(model.LabelSet{plumbline.LabelModel: model.LabelValue(name), plumbline.LabelOwner: `own/er "x"`})
		if len(matched) != 1 || len(matched[0].Matchers) != 1 {
			t.Errorf("%q is taken for another owner's model: %v", name, matched)
		}
	}
	for i, r := range parsed.Route.Routes[2:] {
		for j, name := range names {
			matches := r.Matchers[0].Matches(string(name)) && r.Matchers[0].Name == plumbline.LabelModel && len(r.Matchers) == 1
			if matches != (i == j) {
				t.Errorf("route %d matches %q: %t", i, name, matches)
			}
		}
	}
}

func TestParseNumber(t *testing.T) {
	for in, want := range map[string]float64{"0.42": 0.42, " 41.2 % ": 0.412, "41.2%": 0.412, "6.3x": 6.3, "-1": -1, "1e3": 1000} {
		if got, ok := parseNumber(in); !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("%q: %v %t, want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "%", "NaN", "+Inf", "an unknown share", "1 2"} {
		if v, ok := parseNumber(in); ok {
			t.Errorf("%q is %v", in, v)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	f.Add("41.2 %")
	f.Add("0x1p-2x")
	f.Fuzz(func(t *testing.T, s string) {
		if v, ok := parseNumber(s); ok && !finite(v) || !ok && v != 0 {
			t.Errorf("%q: %v %t", s, v, ok)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("a\nb\u202e\x00\u200b  c\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if strings.ContainsAny(got, "\n\r\t\x00\u2028\u202e\u200b") || len([]rune(got)) > maxName || Clean(got) != got {
			t.Errorf("Clean(%q) = %q", s, got)
		}
	})
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Second: "30s", 12 * time.Minute: "12m", 59*time.Minute + 40*time.Second: "1h", 90 * time.Minute: "1h 30m",
		24*time.Hour + 5*time.Minute: "1d", 40*time.Hour + 46*time.Minute: "1d 16h", 0: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
	for v, want := range map[float64]string{8.1: "8.1", 0.1234: "0.123", 412345.6: "412346", 0: "0", 1e-7: "0.0000001"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
	for in, want := range map[string]time.Duration{"7d": 7 * 24 * time.Hour, "4w": 28 * 24 * time.Hour, "720h0m0s": 720 * time.Hour, "x": 0, "": 0, "-1h": 0} {
		if got, ok := parseDuration(in); ok != (want > 0) || ok && got != want {
			t.Errorf("parseDuration(%q) = %s %t, want %s", in, got, ok, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
		for header, want := range map[string]time.Duration{
			"": 0, "0": 0, "7": 7 * time.Second, "3600": time.Hour, in(time.Minute): time.Minute,
			in(-time.Minute): 0, "-7": 0, "1.5": 0, "soon": 0, "99999999999999": 0,
		} {
			if got := RetryAfter(http.Header{"Retry-After": {header}}); got != want {
				t.Errorf("%q: %s, want %s", header, got, want)
			}
		}
	})
}

func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := NewPacer(time.Second), time.Now()
		for i := range 3 {
			if err := p.Wait(t.Context()); err != nil || time.Since(start) != time.Duration(i)*time.Second {
				t.Fatalf("call %d after %s, %v", i, time.Since(start), err)
			}
		}
		p.Hold(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		before := time.Now()
		if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 0 {
			t.Fatalf("a call that cannot wait: %v after %s", err, time.Since(before))
		}
		if err := p.Wait(t.Context()); err != nil || time.Since(before) != time.Minute {
			t.Fatalf("held call after %s, %v", time.Since(before), err)
		}
	})
}

// No Retry-After takes a day's pages: each keeps calls back for LongestHold at most.
func TestRetryAfterHoldsNoLongerThanItMay(t *testing.T) {
	for _, c := range []struct{ says, holds time.Duration }{
		{0, 0}, {time.Second, time.Second}, {LongestHold, LongestHold}, {time.Hour, LongestHold}, {24 * time.Hour, LongestHold},
	} {
		t.Run(c.says.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(0)
				for range 2 { // who is told so again waits as long again
					before := time.Now()
					p.Hold(c.says)
					if err := p.Wait(t.Context()); err != nil || time.Since(before) != c.holds {
						t.Errorf("held for %s, %v; want %s", time.Since(before), err, c.holds)
					}
				}
			})
		})
	}
}

// storeAt opens the alert store in a directory, as a start of the service does.
func storeAt(t *testing.T, dir string) *alertStore {
	t.Helper()
	c := newCore(t)
	c.config.DataDir = dir
	if err := errors.Join(c.openSilences(), c.openAlerts()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.alerts.Close)
	return c.alerts
}

// ofItsOwn labels an alert of an incident of its own.
func ofItsOwn(name string) map[string]string {
	return map[string]string{"alertname": name, plumbline.LabelModel: name}
}

func fingerprint(name string) model.Fingerprint {
	return labelSet(ofItsOwn(name)).Fingerprint()
}

func put(t *testing.T, s *alertStore, name string, now, ends time.Time) {
	t.Helper()
	a, err := Alert{Labels: ofItsOwn(name), StartsAt: now.Add(-time.Hour), EndsAt: ends}.toAlertmanager(now, time.Minute)
	if err == nil {
		err = s.Put(t.Context(), a)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAlertSentAgainUnchangedIsNotWrittenAgain(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	s := storeAt(t, dir)
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "alerts"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	put(t, s, "fires", now, now.Add(time.Minute))
	written := size()
	for i := range 100 {
		put(t, s, "fires", now, now.Add(time.Minute+time.Duration(i)*time.Second))
	}
	if size() != written {
		t.Errorf("%d bytes grew to %d", written, size())
	}
	put(t, s, "fires", now, now)
	if size() == written {
		t.Error("the end was not written")
	}
}

// A restart must know an alert that fired, whatever its end said, and one that
// nobody sent any more as over.
func TestAlertStoreAfterARestart(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	s := storeAt(t, dir)
	put(t, s, "fires", now, now.Add(time.Minute))
	put(t, s, "ended", now, now.Add(time.Minute))
	put(t, s, "ended", now, now)
	put(t, s, "forgotten", now, now.Add(time.Minute))
	forgotten, err := s.Get(fingerprint("forgotten"))
	if err != nil || s.expired(forgotten) != nil {
		t.Fatal(err)
	}

	s = storeAt(t, dir)
	later := now.Add(time.Hour)
	if err := s.load(t.Context(), later, time.Minute); err != nil {
		t.Fatal(err)
	}
	for name, fires := range map[string]bool{"fires": true, "ended": false, "forgotten": false} {
		a, err := s.Get(fingerprint(name))
		if err != nil || a.ResolvedAt(later.Add(time.Second)) == fires {
			t.Errorf("after the restart %s: %+v, %v", name, a, err)
		}
	}
	if err := s.compact(later); err != nil {
		t.Fatal(err)
	}
	if n := len(storeAt(t, dir).known); n != 1 {
		t.Errorf("%d alerts are kept beyond the retention, want the firing one", n)
	}
}

func newCore(t *testing.T) *core {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return &core{config: DefaultConfig(), metrics: m, logger: slog.New(slog.DiscardHandler), files: make(map[string]*frameFile)}
}

// A silence that did not reach the disk was not made, as far as the caller
// knows.
func TestSilenceThatIsNotDurableIsAnError(t *testing.T) {
	file, _, err := openFrameFile(filepath.Join(t.TempDir(), "silences"))
	if err != nil {
		t.Fatal(err)
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = file.Append(appendFrame(nil, []byte("silence"))) // the API learns nothing of it
		}
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(map[string]string{"silenceID": "1"})
	})
	call := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		durableSilences(api, file).ServeHTTP(w, httptest.NewRequest(method, "/api/v2/silences", nil))
		return w
	}
	if w := call(http.MethodPost); w.Code != http.StatusAccepted || !strings.Contains(w.Body.String(), "silenceID") {
		t.Fatalf("durable: %d %s", w.Code, w.Body)
	}
	file.file.Close()
	if w := call(http.MethodPost); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "not durable") {
		t.Errorf("not durable: %d %s", w.Code, w.Body)
	}
	if w := call(http.MethodGet); w.Code != http.StatusAccepted {
		t.Errorf("a reader is refused: %d", w.Code)
	}
}

// A level fires anew when everything of it had ended, for longer than a flicker,
// whichever of its alerts begins; a restart remembers.
func TestWhenALevelFiresAnew(t *testing.T) {
	dir, noon := t.TempDir(), time.Now().Add(-time.Hour)
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	s := storeAt(t, dir)
	s.flap = 30 * time.Second
	labels := func(window string) map[string]string {
		return map[string]string{"alertname": "SLOBurn", plumbline.LabelModel: "m", plumbline.LabelSeverity: plumbline.SeverityPage, plumbline.LabelWindow: window}
	}
	say := func(window string, starts, ends time.Time) {
		t.Helper()
		a, err := Alert{Labels: labels(window), StartsAt: starts, EndsAt: ends}.toAlertmanager(time.Now(), time.Minute)
		if err == nil {
			err = s.Put(t.Context(), a)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(when, window string, again time.Time) {
		t.Helper()
		if got := s.again(labelSet(labels(window)).Fingerprint()); !got.Equal(again) {
			t.Errorf("%s: %s fires anew since %s, want %s", when, window, got, again)
		}
	}
	goesOn := time.Now().Add(time.Hour)
	say("1h", at(0), goesOn)
	say("6h", at(100), goesOn)
	say("1h", at(0), at(200))
	say("1h", at(300), goesOn)
	want("the other fired all the time", "1h", time.Time{})
	say("6h", at(100), at(400))
	say("1h", at(300), at(500))
	say("6h", at(520), goesOn)
	want("a flicker", "6h", time.Time{})
	say("6h", at(520), at(600))
	say("1h", at(900), goesOn)
	want("after five minutes", "1h", at(900))
	say("6h", at(950), goesOn)
	want("it joins the other", "6h", at(900))
	say("1h", at(900), goesOn)
	want("said again", "1h", at(900))

	s = storeAt(t, dir)
	if err := s.load(t.Context(), time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	want("after a restart", "6h", at(900))

	// Beyond the retention, as long as something of the incident fires.
	say("6h", at(520), at(1000))
	say("1h", at(900), at(1000))
	ticket := labels("3d")
	ticket[plumbline.LabelSeverity] = plumbline.SeverityTicket
	a, err := Alert{Labels: ticket, StartsAt: at(0), EndsAt: goesOn}.toAlertmanager(time.Now(), time.Minute)
	if err := errors.Join(err, s.Put(t.Context(), a), s.compact(time.Now())); err != nil {
		t.Fatal(err)
	}
	say("1h", at(2000), goesOn)
	want("long after its end", "1h", at(2000))
}
