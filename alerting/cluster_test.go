package alerting_test

import (
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// A route of pages alone ends them though the ticket of the incident goes on in
// another route, with replicas as without.
func TestOwnRouteOfPagesIsToldTheirEndInACluster(t *testing.T) {
	w := newWorld(t)
	w.Config.Cluster.Listen, w.Config.Cluster.GossipInterval, w.Config.Cluster.Settle = "127.0.0.1:0", 5*time.Millisecond, time.Second
	night := w.Config.Owners[0]
	night.Name, night.SlackChannel, night.Models = "night", "#night", nil
	w.Config.Owners[0].PagerDutyKeyFile = ""
	w.Config.Owners = append(w.Config.Owners, night)
	w.Config.Route = map[string]any{"receiver": "night", "matchers": []any{`severity="page"`}, "continue": true}
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	s.send(t, resolved(firing(plumbline.SeverityPage)), firing(plumbline.SeverityTicket))
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
}
