package labels

import (
	"os"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) {
	RunWorkerIfRequested()
	testenv.Main(m)
}

// TestReplay is the short form of make replay-labels.
func TestReplay(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) { c.Retention = storageConfig("").Retention }})
	dsn := os.Getenv("PLUMBLINE_TEST_CLICKHOUSE")
	if dsn == "" {
		dsn = env.Engine.DSN()
	}
	figures, err := Replay(t.Context(), env.DB, dsn, Options{Seed: 1, Predictions: 300, Days: 2, Step: 96 * time.Hour, Kills: 3, Burns: 6 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if !f.Met {
			t.Errorf("%s: %v %s, goal %s", f.Name, f.Value, f.Unit, f.Goal)
		}
		t.Logf("%s: %v", f.Name, f.Value)
	}
}
