package chaosingest

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// house is a ClickHouse that counts its statements, behind a door and a relay.
func house(t *testing.T) (d *door, through string, applied *atomic.Int64) {
	t.Helper()
	applied = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "rows" {
			t.Errorf("the statement has the body %q, %v", body, err)
		}
		applied.Add(1)
	}))
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if d, err = openDoor(target, &faults{random: rand.New(rand.NewPCG(1, 1))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	through, closeRelay, err := startRelay(d.dsn())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeRelay)
	return d, through, applied
}

// send returns the status, 0 for a connection that was cut.
func send(t *testing.T, dsn, query string) int {
	t.Helper()
	answer, err := http.Post(dsn+"/?query="+url.QueryEscape(query), "", strings.NewReader("rows"))
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func TestFaultsFailAShareOfInserts(t *testing.T) {
	d, through, applied := house(t)
	d.faults.on.Store(true)
	const n = 400
	failed := 0
	for range n {
		if send(t, through, "INSERT INTO `db`.`labels` (a)") != http.StatusOK {
			failed++
		}
		if send(t, through, "SELECT 1") != http.StatusOK {
			t.Error("a SELECT failed")
		}
	}
	refused, falsely := d.faults.refused.Load(), d.faults.falsely.Load()
	if refused == 0 || falsely == 0 || int64(failed) != refused+falsely {
		t.Errorf("%d failed, of which %d were refused and %d applied", failed, refused, falsely)
	}
	if got := applied.Load(); got != 2*n-refused {
		t.Errorf("%d statements reached ClickHouse, want all but the %d refused", got, refused)
	}
}

// A trap springs at its moment, on the nth statement of its table.
func TestTrapsSpringAtTheirMoment(t *testing.T) {
	for at, want := range map[point]int64{before: 2, arrived: 2, applied: 3} {
		d, through, sent := house(t)
		seen := int64(-1)
		trap := &trap{at: at, table: "labels", nth: 2, act: func() { seen = sent.Load() }, fired: make(chan struct{})}
		d.arm(trap)
		for _, table := range []string{"labels", "predictions", "labels", "labels"} {
			send(t, through, "INSERT INTO db."+table+" (a)")
		}
		select {
		case <-trap.fired:
		default:
			t.Fatalf("%s: not sprung", at)
		}
		if seen != want {
			t.Errorf("%s: sprung after %d statements, want %d", at, seen, want)
		}
		if sent.Load() != 4 || d.disarm(trap) {
			t.Errorf("%s: %d statements were applied, want 4, and no trap", at, sent.Load())
		}
		if late := d.lates; at == before && late != 1 || at != before && late != 0 {
			t.Errorf("%s: %d statements are late", at, late)
		}
	}
}

func TestStatementsAreKnownByTheirTable(t *testing.T) {
	for query, want := range map[string]string{
		"INSERT INTO `chaos`.`series_hour` (`a`) FORMAT ArrowStream": "series_hour",
		"\n INSERT INTO labels (a) SELECT 1":                         "labels",
		"SELECT 'INSERT INTO x'":                                     "",
		"ALTER TABLE labels DELETE WHERE 1":                          "",
	} {
		inURL, err := readStatement(httptest.NewRequest(http.MethodPost, "/?query="+url.QueryEscape(query), nil))
		if err != nil || inURL.table != want {
			t.Errorf("%q goes to %q, %v; want %q", query, inURL.table, err, want)
		}
		inBody, err := readStatement(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(query)))
		if err != nil || inBody.table != want {
			t.Errorf("%q in the body goes to %q, %v; want %q", query, inBody.table, err, want)
		}
	}
}

func TestUnaccounted(t *testing.T) {
	if n := unaccounted(6, []int64{0, 1, 4}, map[int64]bool{2: true}); n != 2 {
		t.Errorf("%d offsets are unaccounted for, want 3 and 5", n)
	}
	if n := unaccounted(2, []int64{0, 1}, nil); n != 0 {
		t.Errorf("%d offsets are unaccounted for, want none", n)
	}
}

// The same seed draws the same blows, of every kind.
func TestBlowsRepeat(t *testing.T) {
	draw := func() (all []blow) {
		w := &world{random: rand.New(rand.NewPCG(3, 4))}
		for range 200 {
			all = append(all, w.draw())
		}
		return all
	}
	first, second := draw(), draw()
	kinds := make(map[string]bool)
	for i, b := range first {
		if b != second[i] {
			t.Fatalf("blow %d: %+v and %+v", i, b, second[i])
		}
		switch {
		case b.kill:
			kinds["kill"] = true
		case b.pause > session:
			kinds["long stop"] = true
		default:
			kinds["short stop"] = true
		}
		if !b.random {
			kinds[b.at.String()] = true
		}
	}
	if len(kinds) != 6 {
		t.Errorf("only %v", kinds)
	}
}

// The partition of an event is the one that its model names.
func TestEventsGoToTheirPartition(t *testing.T) {
	w := &world{client: &kafka.Client{Addr: kafka.TCP("127.0.0.1:1")}, start: time.Now()}
	writer := w.newWriter()
	for p := range partitions {
		if got := writer.Balancer.Balance(kafka.Message{WriterData: p}, 0, 1, 2, 3); got != p {
			t.Errorf("partition %d, want %d", got, p)
		}
	}
}
