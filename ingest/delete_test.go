package ingest_test

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A deletion whose answer never came, and that arrives when its batch is stored anew,
// is refused: it would take what was stored since.
func TestLateDeletionTakesNothing(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	p, db := startProxy(t, env)
	p.reset(refusesFrom("series_hour")) // raw rows are stored, and nothing that they are counted in
	cfg := testConfig(env)
	cfg.Partitions = 1
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	want := produce(t, env, cfg, options(3, 500))
	stop := start(t, cfg, ingest.Dependencies{DB: db})
	p.await(t)
	stop()

	var once sync.Once
	held := make(chan url.Values, 1)
	door, through := openLateDoor(t, env, "none", true)
	door.rewrite = func(w http.ResponseWriter, query url.Values) (answered bool) {
		if strings.HasSuffix(query.Get("log_comment"), "/delete") {
			once.Do(func() { held <- maps.Clone(query); answered = true })
		}
		if answered {
			http.Error(w, "the answer is lost", http.StatusInternalServerError)
		}
		return answered
	}
	cfg.Limits.MaxFeatures = 999 // another plan
	start(t, cfg, ingest.Dependencies{DB: through})
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	if len(held) == 0 {
		t.Fatal("nothing was deleted, so the test proves nothing")
	}
	to, err := url.Parse(env.DSN)
	if err != nil {
		t.Fatal(err)
	}
	to.Path, to.RawQuery = "/", (<-held).Encode()
	alter := "ALTER TABLE predictions DELETE WHERE _topic = {topic:String} AND _epoch = {epoch:String} AND _partition = {partition:Int32} AND _offset BETWEEN {first:Int64} AND {last:Int64}"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.String(), strings.NewReader(alter))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(text), "SESSION_NOT_FOUND") {
		t.Errorf("ClickHouse answered %d %q, %v", answer.StatusCode, text, err)
	}
	check(t, env, want, everything(time.Now()))
}
