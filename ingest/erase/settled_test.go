package erase_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/erase"
	"github.com/plumbline-slo/plumbline/storage"
)

// eventually polls until ok holds.
func (w world) eventually(what string, ok func() bool) {
	w.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			w.Fatalf("%s: not within five minutes", what)
		case <-tick.C:
		}
	}
}

// held runs an INSERT ... SELECT that reads what there is when it is called, and
// writes it once it is released.
func (w world) held(insert string) (release func()) {
	w.Helper()
	released := w.env.DB.Database() + ".released"
	w.exec("CREATE TABLE " + released + w.env.DB.OnCluster() + " (k UInt8, v UInt8) ENGINE = Join(ANY, LEFT, k)")
	until := ", (SELECT 1 FROM system.numbers WHERE NOT ignore(sleepEachRow(0.02)) AND joinGet('" + released + "', 'v', toUInt8(number >= 0)) = 1 LIMIT 1) AS held " +
		"SETTINGS max_block_size = 1, max_threads = 1, function_sleep_max_microseconds_per_block = 1000000"
	written := make(chan error, 1)
	go func() { written <- w.env.DB.Conn().Exec(w.Context(), insert+until) }()
	// What it reads is settled before it reads any of it.
	w.eventually("the insert reads", func() bool {
		select {
		case err := <-written:
			w.Fatalf("the insert ended before it was released: %v", err)
		default:
		}
		return w.count("SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND position(query, 'sleepEachRow') > 0 AND read_rows > 0") == 1
	})
	return func() {
		w.Helper()
		for _, shard := range w.env.DB.Shards() {
			if err := shard.Conn().Exec(w.Context(), "INSERT INTO "+released+" VALUES (1, 1)"); err != nil {
				w.Fatal(err)
			}
		}
		if err := <-written; err != nil {
			w.Fatal(err)
		}
	}
}

// eraseDuring erases p while what was read before is written elsewhere, which is
// released once a table has no row of p, or none any more, and the erasure waits, or
// is over.
func (w world) eraseDuring(release func(), table string) {
	w.Helper()
	over := make(chan error, 1)
	go func() {
		_, err := erase.Run(w.Context(), w.env.DB, erase.Request{Model: "m", IDs: []string{"p"}}, time.Now())
		over <- err
	}()
	isOver := func() bool { return len(over) > 0 }
	w.eventually("rows go", func() bool {
		return isOver() || w.count("SELECT count() FROM "+table+" WHERE prediction_id = 'p'") == 0
	})
	w.eventually("the erasure waits", func() bool {
		return isOver() || w.count("SELECT count() FROM system.processes WHERE startsWith(query, 'SELECT query_id FROM ')") > 0
	})
	release()
	if err := <-over; err != nil {
		w.Fatal(err)
	}
}

// An outcome that the join was writing when the label went is erased, too.
func TestOutcomesUnderWayAreErased(t *testing.T) {
	w := newWorld(t)
	w.predict(0, "p", nil, nil)
	w.label(100, "p", "yes")
	w.complete("p", "predictions", 0, 100)
	w.complete("l", "labels", 0, 4000)
	release := w.held("INSERT INTO " + w.env.DB.Local("outcomes") + " (model, deploy_hash, stage, prediction_id, ts, known, label, labelled, version) " +
		"SELECT 'm', 'd', 'production', prediction_id, ts, known, label, 1, 1 FROM labels")
	w.eraseDuring(release, "labels")
	for _, table := range []string{"predictions", "labels", "outcomes"} {
		if n := w.count("SELECT count() FROM " + table + " WHERE prediction_id = 'p'"); n != 0 {
			t.Errorf("%s: %d rows are left", table, n)
		}
	}
}

// What a person is found by goes, too, if the join was writing it when their
// predictions went.
func TestDaysUnderWayAreErased(t *testing.T) {
	w := newWorld(t)
	w.predict(0, "p", nil, nil)
	w.predict(1, "another", nil, nil)
	w.complete("p", "predictions", 0, 1)
	release := w.held("INSERT INTO " + w.env.DB.Local("days_by_id") + " SELECT " + plumbline.IDDaySQL + " FROM predictions")
	w.eraseDuring(release, "labels") // it waits before the predictions go
	if n := w.count("SELECT count() FROM days_by_id WHERE " + plumbline.HashOfIDDaySQL + " = bitShiftRight(cityHash64('m', 'p'), 16)"); n != 0 {
		t.Errorf("%d hashes of who was erased are left", n)
	}
	if n := w.count("SELECT count() FROM days_by_id WHERE " + plumbline.HashOfIDDaySQL + " = bitShiftRight(cityHash64('m', 'another'), 16)"); n != 1 {
		t.Errorf("%d hashes of another, want 1", n)
	}
}

// Where ClickHouse does not let its user see what is written, the person is erased
// all the same, and the report says what was not waited for.
func TestErasesWhereItMayNotLook(t *testing.T) {
	w := newWorld(t)
	w.predict(0, "p", nil, nil)
	w.label(100, "p", "yes")
	w.complete("p", "predictions", 0, 100)
	w.complete("l", "labels", 0, 4000)
	if w.env.DB.OnCluster() != "" {
		t.Skip("who refuses stands before one server")
	}
	for _, code := range []string{"159", "497"} { // TIMEOUT_EXCEEDED, ACCESS_DENIED
		erases := code == "497"
		report, err := erase.Run(t.Context(), w.refusing("system.processes", code), erase.Request{Model: "m", IDs: []string{"p"}}, time.Now())
		left := w.count("SELECT (SELECT count() FROM predictions) + (SELECT count() FROM labels)")
		if erases != (err == nil) || erases != report.Unwatched || erases != (left == 0) {
			t.Errorf("code %s: %d rows are left by %+v, %v", code, left, report, err)
		}
	}
	if report := w.erase(erase.Request{IDs: []string{"p"}}); report.Unwatched {
		t.Errorf("%+v", report)
	}
}

// refusing is the database as who may not run statements with a text sees it: they
// are answered by ClickHouse's code of an error.
func (w world) refusing(text, code string) *storage.DB {
	w.Helper()
	return w.behind(func(statement string) string {
		if strings.Contains(statement, text) {
			return code
		}
		return ""
	})
}

// behind is the database behind something that sees every statement before it does,
// and answers it by ClickHouse's code of an error, or lets it pass.
func (w world) behind(see func(statement string) (code string)) *storage.DB {
	w.Helper()
	target, err := url.Parse(w.env.DSN)
	if err != nil {
		w.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the caller is gone
		}
		if code := see(string(body) + r.URL.RawQuery); code != "" {
			rw.Header().Set("X-ClickHouse-Exception-Code", code)
			rw.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(rw, "Code: "+code+". DB::Exception: plumbline: Not enough privileges. (version 26.7.2.1)")
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		through.ServeHTTP(rw, r)
	}))
	w.Cleanup(server.Close)
	dsn := *target
	dsn.Host = strings.TrimPrefix(server.URL, "http://")
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database = dsn.String(), w.env.DB.Database()
	db, err := storage.New(cfg)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = db.Close() })
	return db
}
