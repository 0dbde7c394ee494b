package alerting

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/model"
)

// actionRequest is what a person asks for: the body of an acknowledgement or of
// a silence.
type actionRequest struct {
	By string `json:"by"`
	// For is a length of time as amtool takes it, for example 1h or 1d; silences only.
	For     string `json:"for"`
	Comment string `json:"comment"`
}

// maxAction bounds the body of an action.
const maxAction = 64 << 10

// incidentAPI serves what Alertmanager's API does not have, beneath prefix:
//
//	GET  /api/incidents                     all, the latest first
//	GET  /api/incidents/ID                  one, by its ID or its key
//	POST /api/incidents/ID/acknowledge      {"by": "ann"}
//	POST /api/incidents/ID/silence          {"by": "ann", "for": "1h", "comment": "known"}
//
// An action is on disk when it is answered with 200.
func (s *Service) incidentAPI(prefix string, next http.Handler) http.Handler {
	if prefix == "/" {
		prefix = ""
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"/api/incidents", func(w http.ResponseWriter, r *http.Request) {
		all, err := s.Incidents(r.Context())
		answer(w, all, err)
	})
	mux.HandleFunc("GET "+prefix+"/api/incidents/{id}", func(w http.ResponseWriter, r *http.Request) {
		i, err := s.Incident(r.Context(), r.PathValue("id"))
		answer(w, i, err)
	})
	mux.HandleFunc("POST "+prefix+"/api/incidents/{id}/acknowledge", func(w http.ResponseWriter, r *http.Request) {
		asked, err := readAction(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		i, err := s.Acknowledge(r.Context(), r.PathValue("id"), asked.By)
		answer(w, i, err)
	})
	mux.HandleFunc("POST "+prefix+"/api/incidents/{id}/silence", func(w http.ResponseWriter, r *http.Request) {
		asked, err := readAction(w, r)
		var d time.Duration
		if err == nil {
			d, err = silenceLength(asked.For)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id, err := s.Silence(r.Context(), r.PathValue("id"), SilenceRequest{For: d, By: asked.By, Comment: asked.Comment})
		answer(w, map[string]string{"silenceID": id}, err)
	})
	mux.Handle("/", next)
	return mux
}

// silenceLength reads for how long, as amtool does: 2h, 1d, 1w.
func silenceLength(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("for: %w; write a length such as 2h", err)
	}
	if time.Duration(d) <= 0 || time.Duration(d) > maxSilence {
		return 0, fmt.Errorf("for: %s is not between 0 and %s", text, model.Duration(maxSilence))
	}
	return time.Duration(d), nil
}

func readAction(w http.ResponseWriter, r *http.Request) (actionRequest, error) {
	var asked actionRequest
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAction))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return asked, fmt.Errorf("body: %w", err)
	}
	if asked.By == "" {
		return asked, errors.New("by: nobody's name is given")
	}
	return asked, nil
}

func answer(w http.ResponseWriter, content any, err error) {
	if errors.Is(err, ErrNoIncident) {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(content) // a client that went away needs no body
}
