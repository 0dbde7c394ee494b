package burn

import (
	"context"
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// clocks replay what the generated rules make of both clocks of one deploy: labels
// by the minute, estimates by the hour.
type clocks struct {
	objective plumbline.Objective
	deploy    plumbline.DeployHash
	report    func(Replayed)
	hour      time.Time
	nowcast   Nowcast
	estimated bool // there is a nowcast of the hour
	held      []string
	since     []time.Time // when each pair's own condition began to hold; zero where it does not
	heldGuess string
}

func newClocks(o plumbline.Objective, deploy plumbline.DeployHash, report func(Replayed)) *clocks {
	return &clocks{objective: o, deploy: deploy, report: report, held: make([]string, len(o.Pairs)), since: make([]time.Time, len(o.Pairs))}
}

// ask takes the nowcast of an hour.
func (c *clocks) ask(ctx context.Context, nowcasts Nowcaster, hour time.Time) error {
	c.hour = hour
	if _, ok := NowcastPair(c.objective); !ok || nowcasts == nil {
		return nil
	}
	n, ok, err := nowcasts.At(ctx, c.objective, c.deploy, hour)
	if c.estimated = ok; !ok {
		// What was said before ends, and nothing is known of its windows.
		c.nowcast.Long.Share, c.nowcast.Short.Share = math.NaN(), math.NaN()
		return err
	}
	c.nowcast = n
	return err
}

// tick reports what begins or ends at a minute. evaluations are of the objective's
// pairs, in their order.
func (c *clocks) tick(at time.Time, evaluations []Evaluation) {
	for i, e := range evaluations {
		now := e.Severity()
		if now == plumbline.SeverityPage && c.estimated && c.nowcast.of(e.Pair) && c.nowcast.against(e) {
			now = plumbline.SeverityTicket
		}
		now = c.waited(i, e.Pair, now, at)
		c.change(&c.held[i], now, Replayed{At: at, Deploy: c.deploy, Pair: e.Pair, Clock: plumbline.ClockMatured, Long: e.Long.Share(), Short: e.Short.Share()})
	}
	now, n := "", c.nowcast
	if c.estimated && n.Beyond() && n.ahead(evaluations) {
		now = plumbline.SeverityTicket
		if n.proven() {
			now = plumbline.SeverityPage
		}
	}
	c.change(&c.heldGuess, now, Replayed{At: at, Deploy: c.deploy, Pair: n.Pair, Clock: plumbline.ClockNowcast, Long: n.Long.Share, Short: n.Short.Share})
}

// waited is what a pair alerts on once its condition has held for as long as it asks.
// A page that is held back is a ticket at once, and begins to wait anew.
func (c *clocks) waited(i int, pair plumbline.WindowPair, now string, at time.Time) string {
	if now != pair.Severity {
		c.since[i] = time.Time{}
		return now
	}
	if c.since[i].IsZero() {
		c.since[i] = at
	}
	if at.Sub(c.since[i]) < pair.For {
		return ""
	}
	return now
}

// change reports the end of what held and the beginning of what holds now.
func (c *clocks) change(held *string, now string, r Replayed) {
	if *held == now {
		return
	}
	if r.Severity = *held; r.Severity != "" {
		c.report(r)
	}
	if r.Severity, r.Fires = now, true; now != "" {
		c.report(r)
	}
	*held = now
}

// of reports whether the nowcast is of a pair of its objective, whose short window
// it may have lengthened.
func (n Nowcast) of(p plumbline.WindowPair) bool {
	return n.Pair.Long == p.Long && n.Pair.Factor == p.Factor
}

// proven reports whether a page may rest on the nowcast.
func (n Nowcast) proven() bool {
	return n.Verdict == plumbline.VerdictOK || n.Verdict == plumbline.VerdictBreach
}

// ahead reports whether labels do not tell yet of a window that ends no earlier.
func (n Nowcast) ahead(evaluations []Evaluation) bool {
	for _, e := range evaluations {
		tells := e.Verdict == plumbline.VerdictOK || e.Breach()
		if n.of(e.Pair) && tells && !e.End.Before(n.End) {
			return false
		}
	}
	return true
}

// against reports whether the nowcast says that a burn which labels show is over:
// it is proven, labels could have denied it, and it is of a later time.
func (n Nowcast) against(e Evaluation) bool {
	return n.proven() && !math.IsNaN(n.Long.Chance) && !e.End.After(n.End.Add(-n.Pair.Long)) && n.High < n.Threshold
}
