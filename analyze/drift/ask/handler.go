package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Path is where Handler is mounted.
const Path = "/api/v1/drift"

// answerWithin bounds one question.
const answerWithin = 2 * time.Minute

// Handler answers GET requests with the JSON of an Answer. The parameters are
// those of Params, reference, deploy, measure, feature and series any number of
// times. A parameter that cannot be used, or that nobody knows, is a 400 whose
// text names each and says how to write it. What goes wrong inside is logged and
// a 500. Access is the listener's to protect.
func Handler(asker *Asker, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		params, err := paramsOf(r.URL.RawQuery)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		q, err := params.Question(asker.now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		answer, err := asker.Ask(ctx, q)
		if err != nil {
			if r.Context().Err() == nil {
				log.Error("a question about drift has no answer", "err", err, "query", r.URL.RawQuery)
			}
			http.Error(w, "the rollups could not be read; the log of the service says why", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			log.Debug("a client left before its answer about drift", "err", err)
		}
	})
}

// paramsOf reads a query string.
func paramsOf(raw string) (Params, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Params{}, fmt.Errorf("query string: %w", err)
	}
	p := Params{References: values["reference"], Deploys: values["deploy"], Measures: values["measure"], Features: values["feature"], Series: values["series"]}
	var why string
	single := map[string]*string{"why": &why, "model": &p.Model, "window": &p.Window, "to": &p.To, "segment": &p.Segment, "stage": &p.Stage}
	many := map[string]bool{"reference": true, "deploy": true, "measure": true, "feature": true, "series": true}
	var errs []error
	for name, given := range values {
		into := single[name]
		switch {
		case into == nil && !many[name]:
			errs = append(errs, ParameterError{name, errors.New("there is no such parameter; there are model, window, to, reference, segment, stage, deploy, measure, feature, series and why")})
		case into != nil && len(given) > 1:
			errs = append(errs, ParameterError{name, errors.New("give it once")})
		case into != nil:
			*into = given[0]
		}
	}
	if p.Why = why == "1"; why != "" && why != "0" && why != "1" {
		errs = append(errs, ParameterError{"why", fmt.Errorf("%q is not 0 or 1", why)})
	}
	return p, errors.Join(errs...)
}
