package ask

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

// names asks about models, deploys and segments that are not there, as people misspell
// them: an answer without a number would look like missing data.
func names(t *testing.T, asker *Asker) {
	asker = asker.Sliced(map[plumbline.Model]Slices{"loan": {Values: map[string][]string{"region": {"eu", "us"}, "device": {"phone"}}, Joint: [][]string{{"region", "device"}}}})
	for want, q := range map[string]Question{
		`no prediction of model "loann" is stored; models: "loan", "pets", "price", "search", "switch" (did you mean "loan"?)`: {Model: "loann"},
		`no prediction of deploy "v9" of model "loan" is stored; deploys: "a", "b"`:                                            {Model: "loan", Deploys: []plumbline.DeployHash{"v9"}},
		`segment: "regon" is no segment of model "loan"; it declares "device", "region" (did you mean "region"?)`:              {Model: "loan", Segment: "regon=eu"},
		`segment: "EU" is no value of segment region that is counted apart; there are "eu", "us"`:                              {Model: "loan", Segment: "region=EU"},
		`segment: "device=phone,region=eu": model "loan" declares no joint segment of [device region]`:                         {Model: "loan", Segment: "device=phone,region=eu"},
		`by: "regions" is no segment of model "loan"`:                                                                          {Model: "loan", By: "segment:regions"},
		`segment: no segments are declared for model "price"`:                                                                  {Model: "price", Segment: "tier=gold"},
		`by: no segments are declared for model "price"`:                                                                       {Model: "price", By: "segment:tier"},
	} {
		q.From, q.To = begin, end
		_, err := asker.Reply(t.Context(), q)
		_, misused := errors.AsType[ParameterError](err)
		_, nobody := errors.AsType[NobodyError](err)
		if err == nil || !strings.Contains(err.Error(), want) || !misused && !nobody {
			t.Errorf("%+v: %v, want %q", q, err, want)
		}
	}
	for _, q := range []Question{{Segment: "region=eu"}, {Segment: "region=other"}, {Segment: "region=us,device=phone"}, {By: "segment:region"}, {By: BySegment}, {Deploys: []plumbline.DeployHash{"a"}}} {
		q.Model, q.From, q.To = "loan", begin, end
		if answer, err := asker.Reply(t.Context(), q); err != nil || len(answer.Parts) == 0 {
			t.Errorf("%+v: %v", q, err)
		}
	}
	// What was counted is answered, though today's configuration does not count it, or
	// nothing of its model; a window without it is refused by what is declared today.
	for _, today := range []map[plumbline.Model]Slices{nil, {"loan": {Values: map[string][]string{"region": {"eu"}, "tier": {"gold"}}}}} {
		late := asker.Sliced(today)
		for _, q := range []Question{{Segment: "region=us"}, {Segment: "device=phone"}, {Segment: "region=us,device=phone"}, {By: "segment:device"}, {By: BySegment}} {
			q.Model, q.From, q.To = "loan", begin, end
			answer, err := late.Reply(t.Context(), q)
			want, wrong := asker.Reply(t.Context(), q)
			if err != nil || wrong != nil || len(answer.Parts) != len(want.Parts) || answer.Parts[0].Requests != want.Parts[0].Requests || answer.Parts[0].Labelled != want.Parts[0].Labelled {
				t.Errorf("%+v, counted once: %+v, %v, want %+v, %v", q, answer.Parts, err, want.Parts, wrong)
			}
			q.From, q.To = begin.Add(-2*day), begin.Add(-day)
			if _, err := late.Reply(t.Context(), q); (err == nil) != (today != nil && q.By == BySegment) || err != nil && !strings.HasSuffix(err.Error(), "and nothing of it is stored in this window") {
				t.Errorf("%+v, in a window without any: %v", q, err)
			}
		}
	}
	// A window without predictions of a model that has some is an answer.
	if _, err := asker.Reply(t.Context(), Question{Model: "loan", From: begin.Add(-2 * day), To: begin.Add(-day)}); err != nil {
		t.Error(err)
	}
	w := get(Handler(asker, slog.New(slog.DiscardHandler)), "model=loann")
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `did you mean "loan"?`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// waiting asks while labels are stored that the join has not come to.
func waiting(t *testing.T, db *storage.DB, asker *Asker) {
	ask := func(asOf time.Time, want uint64) {
		t.Helper()
		answer, err := asker.Reply(t.Context(), Question{Model: "loan", From: begin, To: end, AsOf: asOf, Metrics: []metric.ID{metric.Accuracy}})
		if err != nil || answer.Unjoined != want {
			t.Errorf("as of %s: %d labels wait, want %d: %v", asOf, answer.Unjoined, want, err)
		}
	}
	ask(time.Time{}, 0)
	testenv.Insert(t, db, "batches", []map[string]any{{"topic": "labels", "epoch": "e", "partition": 0, "first": 1_000_000, "last": 1_000_009, "table": "labels", "rows": 10, "events": 10, "known_min": stamp(end), "known_max": stamp(end.Add(time.Hour))}})
	ask(time.Time{}, 10)
	ask(end.Add(time.Minute), 10)
	ask(end, 0) // as known then, they were not
	w := get(Handler(asker, slog.New(slog.DiscardHandler)), "model=loan&from=2026-03-31T20:00Z&to=2026-04-01T04:00Z&metric=accuracy")
	if !strings.Contains(w.Body.String(), `"unjoined_labels":10`) {
		t.Errorf("%s", w.Body)
	}
}

func TestWindowsInTheFutureAreRefused(t *testing.T) {
	now := time.Date(2026, 4, 1, 4, 0, 0, 0, time.UTC)
	for _, p := range []Params{{From: "2027-01-01", To: "2027-01-02"}, {To: "2027-01-02"}} {
		p.Model = "loan"
		if _, err := p.Question(now); err == nil || !strings.Contains(err.Error(), "is in the future") {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if _, err := (Params{Model: "loan", From: "2026-03-31", To: "2026-04-02"}).Question(now); err != nil {
		t.Errorf("a window that ends in the future: %v", err)
	}
}
