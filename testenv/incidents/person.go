package incidents

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"time"
)

// person acts on every other incident once its page has come: acknowledges it,
// or silences it, at one of the replicas, until one of them has said yes.
func (r *run) person(ctx context.Context, i incident) {
	if i.number%2 == 0 {
		return
	}
	paged := func() bool {
		for _, a := range r.pagerduty.Alerts() {
			if a.DedupKey == i.key() {
				return true
			}
		}
		return false
	}
	if r.until(ctx, r.Length, "it paged", paged) != nil {
		return // the count says that it is missing
	}
	who, action, body := "ann", "acknowledge", map[string]string{"by": "ann"}
	if i.number%4 == 1 {
		who, action, body = "bob", "silence", map[string]string{"by": "bob", "for": "1h", "comment": "known"}
	}
	end := time.Now().Add(r.Length)
	for time.Now().Before(end) && ctx.Err() == nil {
		var answer struct {
			SilenceID string `json:"silenceID"`
		}
		if r.post(ctx, r.apis[rand.IntN(len(r.apis))]+"/api/incidents/"+i.key()+"/"+action, body, &answer) == nil {
			r.mu.Lock()
			if action == "silence" {
				r.silenced[i.key()] = answer.SilenceID
			} else {
				r.acked[i.key()] = who
			}
			r.mu.Unlock()
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (w *world) post(ctx context.Context, url string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return w.do(request, into)
}
