package watchdog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// memory is the state of the direct way: it lasts as long as the process.
type memory map[string]string

// GetStr implements alerting.State.
func (m memory) GetStr(key string) (string, bool) { v, ok := m[key]; return v, ok }

// SetStr implements alerting.State.
func (m memory) SetStr(key, value string) { m[key] = value }

// tell hands what is blind to alerting, with the heartbeat alert, and looks
// whether alerting itself does its work.
func (w *Watchdog) tell(ctx context.Context) {
	now := w.deps.Now()
	w.mu.Lock()
	alerts, over := w.judge(now)
	w.mu.Unlock()
	alerts = append(alerts, alerting.Alert{
		Labels: map[string]string{plumbline.LabelAlert: alerting.HeartbeatAlert, plumbline.LabelSeverity: "none"}, EndsAt: now.Add(10 * w.cfg.Every),
	})
	w.hand(ctx, alerts, over)
	w.mu.Lock()
	w.stuck.seen = w.handled()
	w.stuck.mark(now.Sub(w.stuck.seen) > w.cfg.Limit, now)
	w.mu.Unlock()
	w.past(ctx, now)
}

// handled is when alerting was last seen to do all of its work: to take alerts,
// and to bring one all the way. It may take none, its disk hanging, while it goes
// on with those that it has in memory. The lock is held.
func (w *Watchdog) handled() time.Time {
	last := w.taken
	if beat := w.deps.Handler.LastBeat(); !beat.After(last) {
		last = beat
	}
	if last.Before(w.began) {
		return w.began
	}
	return last
}

// hand gives alerts to alerting, unless it has not taken the former yet. Nobody
// waits for the answer, not even Run at its end: alerting waits for its disk,
// whatever the context says, and may wait for ever.
func (w *Watchdog) hand(ctx context.Context, alerts []alerting.Alert, over []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sending {
		w.failed.WithLabelValues("send").Inc()
		w.deps.Log.Warn("watchdog: alerting has not answered yet")
		return
	}
	w.sending = true
	go func() {
		limited, cancel := context.WithTimeout(ctx, w.cfg.Every)
		defer cancel()
		err := w.deps.Handler.Send(limited, alerts...)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sending = false
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.failed.WithLabelValues("send").Inc()
			w.deps.Log.Warn("watchdog: alerting did not take alerts", "err", err)
		default:
			w.taken = w.deps.Now()
			for _, i := range over {
				w.probes[i].telling = false
			}
		}
	}()
}

// word is what the direct way has said of one subject.
type word struct {
	open   bool      // its beginning, and not its end
	ended  bool      // its end; that of a former process too
	beside time.Time // until when it speaks beside alerting
}

// besideAlerting is for how long after an end the direct way tells of what begins
// again: alerting may not have been told of that end, or take the pause for none, and
// would say nothing of what goes on for it.
const besideAlerting = time.Hour

// past goes past alerting to whoever answers for the service: as long as alerting is
// stuck with that, and with what else is blind, and with the end of whatever it told.
func (w *Watchdog) past(ctx context.Context, now time.Time) {
	if w.deps.Direct == nil {
		return
	}
	for i := range w.words {
		a, maybe, due := w.due(i, now)
		if !due {
			continue
		}
		if err := w.tellDirectly(ctx, a, maybe, now); err != nil {
			w.failed.WithLabelValues("direct").Inc()
			w.deps.Log.Error("watchdog: nobody could be told past alerting", "alert", a.Labels[plumbline.LabelAlert], "err", err)
			return // told again at the next look
		}
		fires := a.EndsAt.After(now)
		w.words[i] = word{open: fires, ended: !fires, beside: now.Add(besideAlerting)}
	}
}

// due returns what the direct way is to say of a subject, if anything: the first is
// alerting itself, the others are what the probes watch. An end is due once after
// every start: a former process may have told the beginning, and what nobody ends
// takes the next page in, silently. PagerDuty drops the end of what it does not know.
func (w *Watchdog) due(i int, now time.Time) (a alerting.Alert, maybeTold, due bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stuck := !w.stuck.since.IsZero()
	s, p := w.stuck, Probe{Alert: AlertStuck, Object: w.cfg.Name, Summary: "alerts of " + w.cfg.Name + " are not handled"}
	s.what = fmt.Sprintf("No alert has gone through the pipeline, and could be kept on disk, since %s. This replica may page nobody of anything.", s.seen.UTC().Format(time.RFC3339))
	well := s.seen.After(w.began)
	if i > 0 {
		s, p = w.probes[i-1], w.deps.Probes[i-1]
		well = now.Sub(w.began) > w.limit(p)+2*w.cfg.Every // it had the time to be blind
	}
	said := w.words[i]
	if blind := !s.since.IsZero(); blind {
		due = stuck || said.open || now.Before(said.beside)
	} else {
		maybeTold, due = !said.open, !said.ended && well
	}
	s.telling = true
	a, _ = s.alert(p, w.deps.Owner, now, w.cfg)
	return a, maybeTold, due
}

func (w *Watchdog) tellDirectly(ctx context.Context, a alerting.Alert, maybeTold bool, now time.Time) error {
	limited, cancel := context.WithTimeout(ctx, w.cfg.Limit/2)
	defer cancel()
	_, err := w.deps.Direct.Notify(limited, alerting.Notice{
		Text: alerting.NewText([]alerting.Alert{a}, w.deps.Owner, alerting.Explanation{}, nil, now), Alerts: []alerting.Alert{a},
		State:     prefixed{w.direct, a.Labels[plumbline.LabelAlert] + "/" + a.Labels[plumbline.LabelObject] + "/"},
		MaybeTold: maybeTold,
	})
	return err
}

// prefixed is the state of one incident of the direct way.
type prefixed struct {
	memory
	prefix string
}

// GetStr implements alerting.State.
func (p prefixed) GetStr(key string) (string, bool) { return p.memory.GetStr(p.prefix + key) }

// SetStr implements alerting.State.
func (p prefixed) SetStr(key, value string) { p.memory.SetStr(p.prefix+key, value) }

// Beat is what the heartbeat says.
type Beat struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	// Blind are the parts that are; people have been paged of them.
	Blind []string `json:"blind,omitempty"`
}

// beat sends the heartbeat as long as alerts are handled.
func (w *Watchdog) beat(ctx context.Context) {
	if w.cfg.HeartbeatURL == "" && w.cfg.HeartbeatURLFile == "" {
		return
	}
	client := w.cfg.client()
	ticker := time.NewTicker(w.cfg.HeartbeatEvery)
	defer ticker.Stop()
	for {
		if err := w.beatOnce(ctx, client); err != nil && ctx.Err() == nil {
			w.failed.WithLabelValues("heartbeat").Inc()
			w.deps.Log.Warn("watchdog: heartbeat", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// client sends heartbeats. A beat that was redirected has not arrived.
func (c Config) client() *http.Client {
	return &http.Client{Timeout: c.HeartbeatEvery, CheckRedirect: alerting.RefuseRedirect}
}

func (w *Watchdog) beatOnce(ctx context.Context, client *http.Client) error {
	now := w.deps.Now()
	w.mu.Lock()
	// By what is so now, and not only by the last look: who looks may hang too.
	stuck := !w.stuck.since.IsZero() || now.Sub(w.handled()) > w.cfg.Limit
	beat := Beat{Name: w.cfg.Name, At: now.UTC()}
	for i, p := range w.deps.Probes {
		if !w.probes[i].since.IsZero() {
			beat.Blind = append(beat.Blind, p.Alert+" "+p.Object)
		}
	}
	w.mu.Unlock()
	if stuck {
		return nil // silence is what tells
	}
	target := w.cfg.HeartbeatURL
	if w.cfg.HeartbeatURLFile != "" {
		content, err := os.ReadFile(w.cfg.HeartbeatURLFile)
		if err != nil {
			return err
		}
		target = strings.TrimSpace(string(content))
	}
	body, err := json.Marshal(beat)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("the heartbeat's address is none") // which may be a secret
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if where := new(url.Error); errors.As(err, &where) {
		return where.Err // without the address
	}
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // the status says what matters
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}
