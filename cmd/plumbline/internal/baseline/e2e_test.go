package baseline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage/grid"
	"github.com/plumbline-slo/plumbline/testenv"
)

// world is a Kafka, a ClickHouse and an ingester between them.
type world struct {
	*testenv.Env
	t   *testing.T
	cfg ingest.Config
}

func newWorld(t *testing.T) *world {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := ingest.DefaultConfig()
	cfg.Brokers, cfg.Group, cfg.Partitions = env.Brokers, "ingest-"+env.Suffix, 3
	cfg.Topics = ingest.Topics{Predictions: "predictions-" + env.Suffix, Labels: "labels-" + env.Suffix, Deployments: "deployments-" + env.Suffix, DeadLetters: "dead-" + env.Suffix}
	cfg.FlushInterval = 50 * time.Millisecond
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	i, err := ingest.New(cfg, ingest.Dependencies{DB: env.DB, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ingest: %v", err)
		}
	})
	return &world{Env: env, t: t, cfg: cfg}
}

func (w *world) options(path, model string) Options {
	o := testOptions(path)
	o.Model, o.DryRun, o.Now = plumbline.Model(model), false, time.Now
	o.Brokers, o.Predictions, o.Labels = w.Brokers, w.cfg.Topics.Predictions, w.cfg.Topics.Labels
	return o
}

// ask runs a query that returns one value as text.
func (w *world) ask(query string) string {
	w.t.Helper()
	var s string
	if err := w.DB.Conn().QueryRow(w.t.Context(), "SELECT toString(("+query+"))").Scan(&s); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return s
}

// until polls a query until it returns want, at most a minute.
func (w *world) until(query, want string) {
	w.t.Helper()
	deadline, tick := time.After(5*time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		got := w.ask(query)
		if got == want {
			return
		}
		select {
		case <-deadline:
			w.t.Fatalf("%s = %s after a minute, want %s", query, got, want)
		case <-tick.C:
		}
	}
}

const training = " FROM series_hour WHERE stage = 'training' AND segment = '' AND model = "

// recount holds what the rollups of one numeric feature must say.
type recount struct {
	count, nans int
	hist        map[int32]int
}

func (r *recount) add(x float64) {
	if math.IsNaN(x) {
		r.nans++
		return
	}
	if r.hist == nil {
		r.hist = map[int32]int{}
	}
	r.count++
	r.hist[grid.Bucket(x)]++
}

func (w *world) compare(model, feature string, r recount) {
	w.t.Helper()
	var buckets, counts []string
	for _, b := range slices.Sorted(maps.Keys(r.hist)) {
		buckets, counts = append(buckets, fmt.Sprint(b)), append(counts, fmt.Sprint(r.hist[b]))
	}
	want := fmt.Sprintf("(%d,%d,([%s],[%s]))", r.count, r.nans, strings.Join(buckets, ","), strings.Join(counts, ","))
	w.until("SELECT (sum(count), sum(nans), sumMap(hist))"+training+"'"+model+"' AND series = 'feature:"+feature+"'", want)
}

func (w *world) requests(model string, n int) {
	w.t.Helper()
	w.until("SELECT sum(count)"+training+"'"+model+"' AND series = 'requests'", fmt.Sprint(n))
}

func TestImportedIsCountedOnce(t *testing.T) {
	w := newWorld(t)
	const n = 300
	t.Run("parquet", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "t.parquet")
		writeParquet(t, path, n)
		o := w.options(path, "pq")
		o.Skip, o.Batch, o.Label, o.Classes = []string{"day"}, 64, "b", true
		r, err := Import(t.Context(), o)
		if err != nil || r.Sent != 2*n || r.Labels != 2*n || r.Known != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		w.requests("pq", 2*n)
		var ints, floats, decimals recount
		for i := range 2 * n {
			if i %= n; i%7 != 0 {
				ints.add(float64(i))
			}
			floats.add(float64(i) / 4)
			decimals.add(float64(i) / 1000)
		}
		w.compare("pq", "i", ints)
		w.compare("pq", "f", floats)
		w.compare("pq", "d", decimals)
		w.until("SELECT groupArray((value, kind, n)) FROM (SELECT value, kind, sum(count) AS n FROM categories_hour WHERE model = 'pq' AND segment = '' AND series = 'feature:s' GROUP BY ALL ORDER BY ALL)", "[('t0',0,200),('t1',0,200),('t2',0,200)]")
		w.until("SELECT count() FROM labels WHERE model = 'pq'", fmt.Sprint(2*n))
		if _, err := Import(t.Context(), o); !errors.Is(err, errDone) {
			t.Errorf("a second import: %v", err)
		}
		o.Again = true
		if r, err := Import(t.Context(), o); err != nil || r.Sent != 2*n {
			t.Errorf("again: %+v, %v", r, err)
		}
		w.requests("pq", 4*n)
	})
	t.Run("csv", func(t *testing.T) {
		text := "x,city\n"
		var want recount
		for i := range n {
			text += fmt.Sprintf("%d.25,c%d\n", i, i%2)
			want.add(float64(i) + 0.25)
		}
		path := write(t, "t.csv", text+"NaN,\n")
		want.add(math.NaN())
		if r, err := Import(t.Context(), w.options(path, "csv")); err != nil || r.Sent != n+1 {
			t.Fatalf("%+v, %v", r, err)
		}
		w.requests("csv", n+1)
		w.compare("csv", "x", want)
	})
	w.until("SELECT count() FROM notices WHERE kind LIKE '%refus%'", "0")
}

// An import that ended between an acknowledged write and the commit of its
// progress goes on: what is in is found in the topic.
func TestAnInterruptedImportGoesOn(t *testing.T) {
	w := newWorld(t)
	text := "x,y\n"
	for i := range 500 {
		text += fmt.Sprintf("%d,%d\n", i, i%2)
	}
	o := w.options(write(t, "t.csv", text), "cut")
	o.Label, o.Batch = "y", 100
	interrupt(t, o)

	other := o
	other.Skip = []string{"y"}
	if _, err := Import(t.Context(), other); !errors.Is(err, errOther) {
		t.Errorf("other options: %v", err)
	}
	r, err := Import(t.Context(), o)
	// 130 predictions were in, and 130 labels.
	if err != nil || r.Sent != 370 || r.Known != 130 || r.Labels != 370 {
		t.Errorf("%+v, %v", r, err)
	}
	w.requests("cut", 500)
	w.until("SELECT (count(), uniqExact(prediction_id)) FROM predictions WHERE model = 'cut'", "(500,500)")
	w.until("SELECT (count(), uniqExact(prediction_id)) FROM labels WHERE model = 'cut'", "(500,500)")
}

// interrupt sends 100 rows and commits, then 30 and does not.
func interrupt(t *testing.T, o Options) {
	t.Helper()
	content, _, err := hashFile(o.File)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := open(o.File, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := makePlan(o, tab.Columns())
	if err != nil {
		t.Fatal(err)
	}
	i := importer{o: o, table: tab, plan: p, content: content, result: &Result{}, progress: newProgress(o)}
	k := newProducer(o, content)
	defer k.close()
	s, err := i.begin(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	e := newEncoder(o, p, s.ID, time.UnixMilli(s.At))
	err = tab.Each(p.columns, func(b *Batch) error {
		var events []event
		for row := range 130 {
			ev, err := e.row(b, row)
			if err != nil {
				return err
			}
			events = append(events, ev)
		}
		if err := i.chunk(t.Context(), k, &s, events[:100]); err != nil {
			return err
		}
		_, _, err := k.send(t.Context(), s, events[100:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The answer of a SELECT is a training set like a file.
func TestQuery(t *testing.T) {
	w := newWorld(t)
	const query = "SELECT number AS i, number / 4 AS f, toDecimal64(number, 2) AS d, ['a', 'b'][number % 2 + 1]::LowCardinality(String) AS c, if(number % 5 = 0, NULL, number)::Nullable(Int32) AS n FROM numbers(20000) ORDER BY i"
	path, err := Query(t.Context(), w.DSN, w.DB.Database(), query, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	columns, rows, err := rowsOf(t, path, testOptions(path))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(columns); got != "[i:number f:number d:number c:text n:integer]" {
		t.Error(got)
	}
	if len(rows) != 20000 || rows[15001] != `{"i":15001,"f":3750.25,"d":15001,"c":"b","n":15001}` || rows[5] != `{"i":5,"f":1.25,"d":5,"c":"b","n":null}` {
		t.Errorf("%d rows, %s", len(rows), rows[min(15001, len(rows)-1)])
	}
	again, err := Query(t.Context(), w.DSN, w.DB.Database(), query, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	one, _, err1 := hashFile(path)
	two, _, err2 := hashFile(again)
	if err := errors.Join(err1, err2); err != nil || one != two {
		t.Errorf("the same rows are contents %s and %s (%v)", one, two, err)
	}
	for _, bad := range []struct{ query, want string }{
		{"SELECT 1", "ORDER BY"}, {"SELECT x FROM nowhere ORDER BY x", "nowhere"}, {"DROP TABLE predictions -- order by", "ClickHouse"},
	} {
		if _, err := Query(t.Context(), w.DSN, w.DB.Database(), bad.query, t.TempDir()); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: %v, want %s", bad.query, err, bad.want)
		}
	}
}
