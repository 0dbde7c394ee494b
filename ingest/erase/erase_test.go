package erase_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/erase"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// at is the event time of offset 0, the start of an hour; an offset is a second.
var at = time.Now().UTC().Add(-6 * time.Hour).Truncate(time.Hour)

type world struct {
	*testing.T
	env *testenv.Env
}

func newWorld(t *testing.T) world { return world{t, testenv.Start(t, testenv.Setup{})} }

func (w world) exec(query string, parameters ...any) {
	w.Helper()
	if err := w.env.DB.Conn().Exec(w.Context(), query, parameters...); err != nil {
		w.Fatalf("%s: %v", query, err)
	}
}

func (w world) count(query string) (n uint64) {
	w.Helper()
	if err := w.env.DB.Conn().QueryRow(w.Context(), query).Scan(&n); err != nil {
		w.Fatalf("%s: %v", query, err)
	}
	return n
}

// predict stores a prediction of model m at an offset of the topic p.
func (w world) predict(offset int64, id string, features map[string]string, numbers map[string]float64) {
	w.Helper()
	w.exec(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known, predicted, categories, numbers, _topic, _epoch, _offset)
VALUES ('m', 'd', 'production', ?, ?, ?, 'yes', ?, ?, 'p', 'e', ?)`,
		id, at.Add(time.Duration(offset)*time.Second), at.Add(time.Duration(offset)*time.Second), features, numbers, offset)
}

// label stores a label at an offset of the topic l.
func (w world) label(offset int64, id, class string) {
	w.Helper()
	w.exec("INSERT INTO labels (model, prediction_id, ts, known, label, _topic, _epoch, _offset) VALUES ('m', ?, ?, ?, ?, 'l', 'e', ?)",
		id, at.Add(time.Hour+time.Duration(offset)*time.Second), at.Add(time.Hour+time.Duration(offset)*time.Second), class, offset)
}

// complete records a batch.
func (w world) complete(topic, table string, first, last int64) {
	w.Helper()
	w.exec("INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, known_min, known_max) VALUES (?, 'e', 0, ?, ?, ?, ?, ?, ?, ?)",
		topic, first, last, table, last-first+1, last-first+1, at, at.Add(5*time.Hour))
}

func (w world) erase(r erase.Request) erase.Report {
	w.Helper()
	r.Model = "m"
	report, err := erase.Run(w.Context(), w.env.DB, r, time.Now())
	if err != nil {
		w.Fatal(err)
	}
	return report
}

// rows says what was found, as table=rows+unfinished.
func rows(r erase.Report) string {
	var parts []string
	for _, t := range r.Tables {
		parts = append(parts, fmt.Sprintf("%s=%d+%d", t.Table, t.Rows, t.Unfinished))
	}
	return strings.Join(parts, " ")
}

func keys(t *testing.T) privacy.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	text := "k1 one-secret-of-at-least-32-characters\nk2 two-secret-of-at-least-32-characters 2030-01-01T00:00:00Z\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := privacy.ReadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestErasesAPersonAndNobodyElse(t *testing.T) {
	w := newWorld(t)
	k := keys(t)
	const id = "it's \\ \"Ann\"\n\té%20&ids=1"
	mine := append(k.Hashes([]byte(id)), id)
	for i, stored := range append(mine, "Ann", "it's", k.Hashes([]byte("Ann"))[0], id+"x") {
		w.predict(int64(i), stored, nil, nil)
		w.label(int64(i), stored, "yes")
	}
	w.exec("INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known, _topic, _epoch, _offset) SELECT 'other', 'd', 'production', prediction_id, ts, known, 'q', 'e', _offset FROM predictions")
	w.complete("p", "predictions", 0, 6)
	w.complete("q", "predictions", 0, 6)
	w.complete("l", "labels", 0, 6)

	dry := w.erase(erase.Request{IDs: []string{id}, Keys: k, DryRun: true})
	if got := rows(dry); got != "labels=3+0 outcomes=0+0 predictions=3+0" || w.count("SELECT count() FROM predictions") != 14 || w.count("SELECT count() FROM erasures") != 0 {
		t.Fatalf("a dry run finds %s and leaves %d predictions", got, w.count("SELECT count() FROM predictions"))
	}
	report := w.erase(erase.Request{IDs: []string{id}, Keys: k})
	if got := rows(report); got != "labels=3+0 outcomes=0+0 predictions=3+0" || !report.Found() || report.IDs != 3 {
		t.Errorf("erased %s of %d identifiers", got, report.IDs)
	}
	if p, l := w.count("SELECT count() FROM predictions WHERE model = 'm'"), w.count("SELECT count() FROM labels"); p != 4 || l != 4 {
		t.Errorf("%d predictions and %d labels are left, want the 4 of others", p, l)
	}
	if n := w.count("SELECT count() FROM predictions WHERE model = 'other'"); n != 7 {
		t.Errorf("another model has %d predictions, want 7", n)
	}
	if n := w.count("SELECT sum(rows) FROM erasures WHERE model = 'm' AND table = 'predictions'"); n != 3 {
		t.Errorf("erasures count %d predictions, want 3", n)
	}
	if n := w.count("SELECT count() FROM erasures WHERE position(toString(tuple(*)), 'Ann') > 0"); n != 0 {
		t.Errorf("erasures name the person in %d rows", n)
	}
	again := w.erase(erase.Request{IDs: []string{id}, Keys: k})
	if again.Found() {
		t.Errorf("found again: %s", rows(again))
	}
}

func TestBatchUnderWayIsLeftForASecondRun(t *testing.T) {
	w := newWorld(t)
	for i := range int64(4) {
		w.predict(i, "a", nil, nil)
		w.label(i, "a", "yes")
	}
	w.complete("p", "predictions", 0, 1)
	// A batch of labels alone says nothing of the predictions.
	w.complete("p", "labels", 2, 3)
	report := w.erase(erase.Request{IDs: []string{"a"}})
	if got := rows(report); got != "labels=0+4 outcomes=0+0 predictions=2+2" || report.Unfinished() != 6 {
		t.Errorf("erased %s, %d unfinished", got, report.Unfinished())
	}
	if n := w.count("SELECT count() FROM predictions WHERE _offset >= 2"); n != 2 {
		t.Fatalf("the batch under way has %d of its 2 rows: its partition would park", n)
	}
	w.complete("p", "predictions", 2, 3)
	w.complete("l", "labels", 0, 3)
	if got := rows(w.erase(erase.Request{IDs: []string{"a"}})); got != "labels=4+0 outcomes=0+0 predictions=2+0" {
		t.Errorf("the second run erased %s", got)
	}
	if n := w.count("SELECT (SELECT count() FROM predictions) + (SELECT count() FROM labels)"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

func TestEntity(t *testing.T) {
	w := newWorld(t)
	k := keys(t)
	hash := func(key int, text string) string { return k.Hashes([]byte(text))[key] }
	stored := []struct {
		id      string
		texts   map[string]string
		numbers map[string]float64
		mine    bool
	}{
		{"text", map[string]string{"customer": "4711.50"}, nil, true},
		{"number", nil, map[string]float64{"customer": 4711.5}, true},
		{"hashed text", map[string]string{"customer": hash(0, "4711.50")}, nil, true},
		{"hashed number", map[string]string{"customer": hash(1, "4711.5")}, nil, true},
		{"under the older key", map[string]string{"customer": "k2:0", "customer@k1": hash(0, "4711.5")}, nil, true},
		{"another text", map[string]string{"customer": "4711"}, map[string]float64{"other": 4711.5}, false},
		{"another feature", map[string]string{"merchant": "4711.50"}, nil, false},
		{"none", nil, nil, false},
		{"zero", nil, map[string]float64{"customer": 0}, false},
	}
	left := uint64(0)
	for i, s := range stored {
		w.predict(int64(i), s.id, s.texts, s.numbers)
		w.label(int64(i), s.id, "yes")
		if !s.mine {
			left++
		}
	}
	w.complete("p", "predictions", 0, 8)
	w.complete("l", "labels", 0, 8)
	if got := rows(w.erase(erase.Request{Feature: "customer", Value: "4711.50", Keys: k})); got != "labels=5+0 outcomes=0+0 predictions=5+0" {
		t.Errorf("erased %s", got)
	}
	for _, s := range stored {
		if n := w.count("SELECT count() FROM predictions WHERE prediction_id = '" + s.id + "'"); (n == 0) != s.mine {
			t.Errorf("%s: %d rows are left", s.id, n)
		}
	}
	if n := w.count("SELECT count() FROM labels"); n != left {
		t.Errorf("%d labels are left, want %d", n, left)
	}
}

func TestRowsOfARequest(t *testing.T) {
	w := newWorld(t)
	k := keys(t)
	ids := map[int64]string{}
	for i := range int64(1200) {
		id := fmt.Sprintf("r/%d", i)
		if i%2 == 1 {
			id = k.Hashes([]byte(id))[1]
		}
		if i != 5 { // refused
			ids[i] = id
		}
	}
	w.predictMany(ids)
	w.predict(1200, "r/x", nil, nil)
	w.predict(1201, "r", nil, nil)
	w.predict(1202, "rr/0", nil, nil)
	w.complete("p", "predictions", 0, 1202)

	report := w.erase(erase.Request{IDs: []string{"r"}, Keys: k})
	if got := rows(report); got != "labels=0+0 outcomes=0+0 predictions=1+0" || report.OtherRows != 1199 {
		t.Errorf("erased %s, %d other rows of the request", got, report.OtherRows)
	}
	report = w.erase(erase.Request{IDs: []string{"r"}, EveryRow: true, Keys: k})
	if got := rows(report); got != "labels=0+0 outcomes=0+0 predictions=1199+0" || report.OtherRows != 0 {
		t.Errorf("erased %s, %d other rows of the request", got, report.OtherRows)
	}
	if n := w.count("SELECT count() FROM predictions"); n != 2 {
		t.Errorf("%d rows are left, want r/x and rr/0", n)
	}
}

// predictMany stores predictions in one statement.
func (w world) predictMany(ids map[int64]string) {
	w.Helper()
	batch, err := w.env.DB.Conn().PrepareBatch(w.Context(), "INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known, _topic, _epoch, _offset)")
	if err != nil {
		w.Fatal(err)
	}
	for offset, id := range ids {
		if err := batch.Append("m", "d", "production", id, at.Add(time.Duration(offset)*time.Second), at, "p", "e", offset); err != nil {
			w.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		w.Fatal(err)
	}
}

// What labels changed stays counted, exactly, while no row names the person: by
// minute, at every instant of knowledge, and in cells that are summed again.
func TestCountsStay(t *testing.T) {
	w := newWorld(t)
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: w.env.DB})
	if err != nil {
		t.Fatal(err)
	}
	step := func() {
		t.Helper()
		for {
			p, err := j.Step(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p.Labels == 0 && !p.More {
				return
			}
		}
	}
	const people = 6
	for i := range int64(2 * people) {
		w.predict(i*7, fmt.Sprintf("p%d", i%people), nil, nil) // each delivered twice
	}
	for i := range int64(3 * people) {
		class := "yes"
		if i%5 == 0 {
			class = "no"
		}
		w.label(i*200, fmt.Sprintf("p%d", i%people), class) // and corrected
	}
	w.complete("p", "predictions", 0, 100)
	w.complete("l", "labels", 0, 4000)
	step()

	asKnown := `SELECT sum(cityHash64(m, k, l, c)) FROM (
SELECT toStartOfMinute(ts) AS m, known AS k, sum(labelled) AS l, sum(correct) AS c FROM outcomes FINAL GROUP BY m, k HAVING l != 0 OR c != 0)`
	cells := "SELECT sum(cityHash64(time, known, labelled, correct)) FROM outcome_cells FINAL WHERE labelled != 0 OR correct != 0"
	before, beforeCells := w.count(asKnown), w.count(cells)
	var erased uint64
	for _, id := range []string{"p1", "p2"} {
		report := w.erase(erase.Request{IDs: []string{id}})
		erased += report.Tables[2].Rows
	}
	if erased == 0 {
		t.Fatal("the join made no outcomes to erase")
	}
	for _, table := range []string{"predictions", "labels", "outcomes"} {
		if n := w.count("SELECT count() FROM " + table + " WHERE prediction_id IN ('p1', 'p2')"); n != 0 {
			t.Errorf("%s: %d rows are left", table, n)
		}
	}
	if n := w.count("SELECT count() FROM outcomes WHERE startsWith(prediction_id, 'erased/') AND (score IS NOT NULL OR predicted != '' OR label != '' OR ts != toStartOfMinute(ts))"); n != 0 {
		t.Errorf("%d rows of what remains say more than a count", n)
	}
	if after := w.count(asKnown); after != before {
		t.Error("outcomes as known at some instant have changed")
	}
	if after := w.count(cells); after != beforeCells {
		t.Error("cells have changed")
	}
	// Another's label makes the join sum the minutes again.
	w.label(5000, "p3", "yes")
	w.complete("l", "labels", 4001, 6000)
	step()
	fromRows := `SELECT sum(cityHash64(m, k, l, c)) FROM (
SELECT toDateTime(toStartOfMinute(ts), 'UTC') AS m, toDateTime(toStartOfHour(known), 'UTC') AS k, sum(toInt64(labelled)) AS l, sum(toInt64(correct)) AS c FROM outcomes FINAL GROUP BY m, k HAVING l != 0 OR c != 0)`
	if w.count(fromRows) != w.count(cells) {
		t.Error("cells that were summed again differ from the outcomes")
	}
	if w.count(asKnown) == before {
		t.Error("the later label changed nothing: the test cannot fail")
	}
	if n := w.count("SELECT toUInt64(sum(labelled)) FROM outcomes FINAL"); n != people {
		t.Errorf("%d predictions are labelled, want %d", n, people)
	}
}

func TestVerifyRefusesErasedHours(t *testing.T) {
	w := newWorld(t)
	for i := range int64(4) {
		w.predict(i*3600, fmt.Sprint(i), nil, nil)
	}
	w.complete("p", "predictions", 0, 4*3600)
	w.erase(erase.Request{IDs: []string{"2"}})
	for _, c := range []struct {
		from, to int
		refused  bool
	}{{0, 2, false}, {0, 3, true}, {2, 3, true}, {3, 4, false}} {
		_, err := verify.Run(t.Context(), w.env.DB.Conn(), verify.Options{From: at.Add(time.Duration(c.from) * time.Hour), To: at.Add(time.Duration(c.to) * time.Hour)})
		if refused := errors.Is(err, verify.ErrIncomplete) && strings.Contains(err.Error(), "erased"); refused != c.refused {
			t.Errorf("hours %d to %d: %v, want refused %t", c.from, c.to, err, c.refused)
		}
	}
}

func TestRequestsThatNameNobody(t *testing.T) {
	cut := privacy.Policy{Features: map[string]privacy.Rule{"name": {Action: privacy.Truncate, To: 3}}}
	for want, r := range map[string]erase.Request{
		"name the model":    {IDs: []string{"a"}},
		"name either":       {Model: "m"},
		"either prediction": {Model: "m", IDs: []string{"a"}, Feature: "f", Value: "v"},
		"names nobody":      {Model: "m", IDs: []string{""}},
		"empty value":       {Model: "m", Feature: "f"},
		"by its prediction": {Model: "m", Feature: "f", Value: "v", EveryRow: true},
		"truncates name":    {Model: "m", Feature: "name", Value: "Ann", Policy: cut},
	} {
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
	for _, text := range []string{"", "a", "=v", "a="} {
		if _, _, err := erase.ParseEntity(text); err == nil {
			t.Errorf("%q is taken for an entity", text)
		}
	}
	if f, v, err := erase.ParseEntity("a=b=c"); f != "a" || v != "b=c" || err != nil {
		t.Errorf("a=b=c is %q, %q, %v", f, v, err)
	}
}

// newShards are two servers that nobody joins, and both as one.
func newShards(t *testing.T) (a, b world, db *storage.DB) {
	t.Helper()
	a = newWorld(t)
	if a.env.Engine == nil {
		t.Skip("needs two servers that know nothing of each other, and a real ClickHouse was named")
	}
	b = world{t, testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) { c.Database = a.env.DB.Database() }})}
	cfg := storage.DefaultConfig()
	cfg.Database = a.env.DB.Database()
	cfg.Shards = []storage.Shard{{Name: "a", DSN: a.env.DSN}, {Name: "b", DSN: b.env.DSN}}
	db, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, b, db
}

// On shards that nobody joins every one is searched, and erased on its own.
func TestEveryShardIsSearched(t *testing.T) {
	a, b, db := newShards(t)
	a.predict(0, "ours", map[string]string{"customer": "me"}, nil)
	b.predict(0, "mine", map[string]string{"customer": "me"}, nil)
	b.predict(1, "other", map[string]string{"customer": "you"}, nil)
	a.label(0, "mine", "yes") // on another shard than its prediction
	a.complete("p", "predictions", 0, 0)
	a.complete("l", "labels", 0, 0)
	b.complete("p", "predictions", 0, 1)
	report, err := erase.Run(t.Context(), db, erase.Request{Model: "m", Feature: "customer", Value: "me"}, time.Now())
	if err != nil || rows(report) != "labels=1+0 outcomes=0+0 predictions=2+0" {
		t.Fatalf("erased %s, %v", rows(report), err)
	}
	if x, y := a.count("SELECT count() FROM predictions"), b.count("SELECT count() FROM predictions"); x != 0 || y != 1 {
		t.Errorf("%d and %d predictions are left, want 0 and 1", x, y)
	}
	for _, w := range []world{a, b} {
		if n := w.count("SELECT sum(rows) FROM erasures WHERE table = 'predictions'"); n != 1 {
			t.Errorf("a shard records %d erased predictions, want its 1", n)
		}
	}
}

// A run that was killed after a person's outcomes had gone, and before what
// remains of them was written the second time, leaves a minute's cell that was
// summed with both. The next run mends that.
func TestErasingOutcomesIsResumed(t *testing.T) {
	w := newWorld(t)
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: w.env.DB})
	if err != nil {
		t.Fatal(err)
	}
	step := func() {
		t.Helper()
		for more := true; more; {
			p, err := j.Step(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			more = p.Labels > 0 || p.More
		}
	}
	for i, id := range []string{"ann", "ben", "eve"} {
		w.predict(int64(i), id, nil, nil)
		w.label(int64(i), id, "yes")
	}
	for i := range int64(20) { // her version must weigh more than another's label
		w.predict(3+i, "ann", nil, nil)
	}
	w.complete("p", "predictions", 0, 22)
	w.complete("l", "labels", 0, 2)
	step()
	const labelled = "SELECT toUInt64(sum(labelled)) FROM outcome_cells FINAL"
	if n := w.count(labelled); n != 3 {
		t.Fatalf("%d predictions are labelled", n)
	}
	w.exec("CREATE TABLE kept AS outcomes")
	w.exec("INSERT INTO kept SELECT * FROM outcomes WHERE prediction_id = 'ann'")
	w.erase(erase.Request{IDs: []string{"ann"}})
	// As the killed run left it: what remains stands under its first version, and
	// the cell was summed while ann's rows were there too.
	w.exec("CREATE TABLE first AS outcomes")
	w.exec("INSERT INTO first SELECT * REPLACE (toUInt64((version - 4) / 4) AS version) FROM outcomes FINAL WHERE startsWith(prediction_id, 'erased/')")
	w.exec("ALTER TABLE outcomes DELETE WHERE startsWith(prediction_id, 'erased/') SETTINGS mutations_sync = 2")
	w.exec("INSERT INTO outcomes SELECT * FROM first")
	w.exec("INSERT INTO outcomes SELECT * FROM kept")
	w.label(10, "eve", "no")
	w.complete("l", "labels", 3, 10)
	step()
	if n := w.count(labelled); n != 4 {
		t.Fatalf("%d predictions are labelled while both are there: the test cannot fail", n)
	}
	w.exec("ALTER TABLE outcomes DELETE WHERE prediction_id = 'ann' SETTINGS mutations_sync = 2")

	w.erase(erase.Request{IDs: []string{"ann"}})
	w.label(11, "eve", "yes")
	w.complete("l", "labels", 11, 11)
	step()
	if n := w.count(labelled); n != 3 {
		t.Errorf("%d predictions are labelled, want 3", n)
	}
	versions := "SELECT sum(version) FROM outcomes FINAL WHERE startsWith(prediction_id, 'erased/')"
	before := w.count(versions)
	w.erase(erase.Request{IDs: []string{"nobody"}})
	if after := w.count(versions); after != before {
		t.Error("what is finished is written again")
	}
}
