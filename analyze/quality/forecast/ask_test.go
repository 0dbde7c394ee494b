package forecast_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
)

const day = 24 * time.Hour

var now = time.Date(2026, 5, 14, 18, 20, 0, 0, time.UTC)

func TestParametersAreRead(t *testing.T) {
	a, err := forecast.Params{Model: "m"}.Asked(now)
	if err != nil || len(a.Windows) != 2 || a.Windows[1] != 7*day || a.Share != 0.9 || !a.At.IsZero() {
		t.Errorf("%+v, %v", a, err)
	}
	a, err = forecast.Params{Model: "m", Windows: []string{"36h", "4w"}, Share: "0.5", At: "2026-05-01T03:30:00Z"}.Asked(now)
	if err != nil || a.Windows[0] != 36*time.Hour || a.Windows[1] != 28*day || a.Share != 0.5 || a.At.Hour() != 3 || a.At.Minute() != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	for name, p := range map[string]forecast.Params{
		"model": {}, "window": {Model: "m", Windows: []string{"7"}}, "share": {Model: "m", Share: "1"}, "at": {Model: "m", At: "2027-01-01T00:00:00Z"},
	} {
		var wrong forecast.ParameterError
		if _, err := p.Asked(now); !errors.As(err, &wrong) || wrong.Name != name {
			t.Errorf("%+v: %v, want %s named", p, err, name)
		}
	}
	for _, text := range []string{"", "h", "0h", "-1d", "+1d", "1y", "1.5d", "99999w", "401d"} {
		if _, err := (forecast.Params{Model: "m", Windows: []string{text}}).Asked(now); err == nil {
			t.Errorf("the window %q is accepted", text)
		}
	}
}

// gone is a database that does not answer.
type gone struct{ why error }

func (g gone) Query(context.Context, string, ...any) (driver.Rows, error) { return nil, g.why }

func TestTheHandlerNamesWhatIsWrong(t *testing.T) {
	asker := forecast.Asker{Reader: history.Reader{Conn: gone{errors.New("secret")}}, Config: forecast.DefaultConfig(), Now: func() time.Time { return now }}
	h := forecast.Handler(asker, slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		query, want string
		status      int
	}{
		{"", "model: name the model", http.StatusBadRequest},
		{"model=m&window=1y", `window: "1y"`, http.StatusBadRequest},
		{"model=m&model=n", "model: give it once", http.StatusBadRequest},
		{"model=m&deploy=x", "deploy: there is no such parameter", http.StatusBadRequest},
		{"model=m&" + strings.Repeat("window=1d&", 21), "window: 21 windows", http.StatusBadRequest},
		{"model=" + strings.Repeat("m", 9000), "query string of", http.StatusRequestURITooLong},
		{"model=m", "the log of the service says why", http.StatusInternalServerError},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, forecast.Path+"?"+tt.query, nil))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%.60s: %d %s, want %d %s", tt.query, w.Code, w.Body, tt.status, tt.want)
		}
	}
}

// past is a history in memory: predictions of every hour whose labels take an hour
// for each point of the stratum, or never come.
type past struct {
	from time.Time
	now  time.Time
}

func (p past) Cells(context.Context, history.Scope, history.Range) ([]history.Cell, error) {
	return nil, errors.New("maturity needs no scores")
}

func (p past) Delays(_ context.Context, _ history.Scope, asked history.Range) (history.Delays, error) {
	if asked.At.After(p.now) {
		return history.Delays{}, fmt.Errorf("the future is asked for: %s", asked.At)
	}
	d := history.Delays{At: asked.At, Came: map[estimate.Stratum][]estimate.Wait{}}
	for at := asked.From; at.Before(asked.To); at = at.Add(time.Hour) {
		if at.Before(p.from) {
			continue
		}
		for s := range estimate.Stratum(2) {
			h := history.Hour{Stratum: s, Deploy: "v1", Time: at, Predictions: 10}
			if delay := time.Duration(10+30*int(s)) * time.Hour; at.Add(delay).Before(asked.At) {
				h.Labelled = 8
				d.Came[s] = append(d.Came[s], estimate.Wait{Delay: delay, Known: true, Count: 8})
			}
			d.Hours = append(d.Hours, h)
		}
	}
	return d, nil
}

// What maturity says is what the world does: eight of ten labels come, after ten
// hours in one stratum and forty in the other.
func TestMaturityIsWhatComes(t *testing.T) {
	at := now.Truncate(time.Hour)
	f := forecast.New(forecast.DefaultConfig(), past{at.Add(-20 * day), at}, history.Scope{Model: "m", Strata: history.Strata{Kind: history.Number, Name: "lead", Cuts: estimate.Cuts{10}}}, forecast.Binary)
	m, err := f.Maturity(t.Context(), at, 0.9, []time.Duration{day, 7 * day}, "v1", "v2")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Windows) != 6 || len(m.Delays) != 2 {
		t.Fatalf("%+v", m)
	}
	for _, d := range m.Delays {
		if got := d.Curve.Ever(); got < 0.795 || got > 0.805 || !d.Curve.Settled() || d.Most != time.Duration(10+30*int(d.Stratum))*time.Hour {
			t.Errorf("%s: %.3f ever, nine tenths in %s", d.Title, got, d.Most)
		}
	}
	w := m.Windows[0]
	// Of 24 hours the labels of 14 are in in the first stratum, of none in the second.
	known := int64(8 * 13)
	if w.Known != known && w.Known != known+8 || w.State != plumbline.VerdictOK {
		t.Errorf("%+v, want about %d labels", w, known)
	}
	if want := float64(w.Known) / (2 * 24 * 8); w.Maturity < want-0.02 || w.Maturity > want+0.02 || !(w.Low < w.Maturity && w.Maturity < w.High) {
		t.Errorf("maturity %.3f in [%.3f, %.3f], want %.3f", w.Maturity, w.Low, w.High, want)
	}
	// All of the first stratum and four fifths of the second make nine tenths.
	if in := w.MatureAt.Sub(at).Hours(); in < 33 || in > 37 {
		t.Errorf("mature in %.0f hours, want 35", in)
	}
	if none := m.Windows[2]; none.Deploy != "v2" || none.State != plumbline.VerdictMissing || !none.MatureAt.IsZero() {
		t.Errorf("a deploy that did not serve is %+v", none)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"model":"m"`, `"strata":"number:lead:10"`, `"stratum":"lead \u003c= 10"`, `"mature_at":null`, `"maturity":null`, `"nine_tenths_in_seconds":36000`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the JSON lacks %s:\n%s", want, text)
		}
	}
}

// Without a label there is no maturity, and with a young history none that is sure.
func TestMaturityThatIsNotKnown(t *testing.T) {
	at := now.Truncate(time.Hour)
	for _, tt := range []struct {
		age   time.Duration
		state string
	}{{8 * time.Hour, plumbline.VerdictMissing}, {12 * time.Hour, plumbline.VerdictInsufficient}, {20 * day, plumbline.VerdictOK}} {
		f := forecast.New(forecast.DefaultConfig(), past{at.Add(-tt.age), at}, history.Scope{Model: "m", Strata: history.NoStrata()}, forecast.Binary)
		m, err := f.Maturity(t.Context(), at, 0.9, []time.Duration{day})
		if err != nil || m.Windows[0].State != tt.state || tt.state != plumbline.VerdictOK && m.Windows[0].Why == "" {
			t.Errorf("after %s: %+v, %v, want %s", tt.age, m.Windows[0], err, tt.state)
		}
	}
}

func FuzzParamsOverHTTP(f *testing.F) {
	for _, seed := range []string{"model=m", "model=m&window=7d&share=0.5", "at=2026-05-01T00:00:00Z&model=%zz", "window=1h&window=2h"} {
		f.Add(seed)
	}
	asker := forecast.Asker{Reader: history.Reader{Conn: gone{errors.New("gone")}}, Config: forecast.DefaultConfig(), Now: func() time.Time { return now }}
	h := forecast.Handler(asker, slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, forecast.Path, nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest && w.Code != http.StatusInternalServerError && w.Code != http.StatusRequestURITooLong {
			t.Errorf("%q: %d", query, w.Code)
		}
	})
}
