package demo

import (
	"io"
	"reflect"
	"testing"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

// With the configuration of a service the demo writes nothing where that one does, joins
// none of its replicas and keeps no heartbeat of it going.
func TestDemoStandsApart(t *testing.T) {
	cfg := app.DefaultConfig()
	cfg.Kafka.Embedded.DataDir, cfg.Alerting.DataDir, cfg.Rules.RulesDir, cfg.Rules.StateFile = "/kafka", "/alerting", "/rules", "/state.json"
	cfg.Alerting.Cluster.Listen, cfg.Alerting.Relay.Peers, cfg.Watchdog.HeartbeatURL = "127.0.0.1:9094", []string{"http://a"}, "https://beats"
	d := &demo{Options: Options{Text: io.Discard}}
	d.standApart(&cfg)
	if usual := app.DefaultConfig(); !reflect.DeepEqual(cfg, usual) {
		t.Errorf("the demo keeps of the service: %+v", cfg)
	}
}
