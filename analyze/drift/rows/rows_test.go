package rows

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var start = time.Date(2026, 5, 14, 0, 0, 0, 0, time.UTC)

func TestReadTakesTheSameRowsInTheirOrder(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB
	var predictions, labels []map[string]any
	for i := range 600 {
		p := map[string]any{
			"model": "m", "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint("p", i),
			"ts": start.Add(time.Duration(600-i) * time.Second).Format("2006-01-02 15:04:05.000"), "numbers": map[string]float64{"amount": float64(i)},
			"categories": map[string]string{}, "score": float64(i) / 600, "predicted": "no", "segments": map[string]string{"region": []string{"eu", "us"}[i%2]},
		}
		if i%3 == 0 {
			p["categories"] = map[string]string{"country": "DE"}
			p["numbers"] = map[string]float64{}
			delete(p, "score")
		}
		predictions = append(predictions, p)
		for version, label := range []string{"no", "yes"} {
			labels = append(labels, map[string]any{"model": "m", "prediction_id": fmt.Sprint("p", i), "ts": start.Add(time.Duration(version) * time.Hour).Format("2006-01-02 15:04:05.000"), "label": label, "deleted": i % 2, "known": "2026-05-20 00:00:00.000"})
		}
	}
	response := map[string]any{"model": "m", "deploy_hash": "v1", "stage": "production", "prediction_id": "p1", "ts": start.Format("2006-01-02 15:04:05.000"), "half": "response"}
	testenv.Insert(t, db, "predictions", append(predictions, response))
	testenv.Insert(t, db, "labels", labels)
	q := Query{Windows: []drift.Query{{Model: "m", Stage: plumbline.StageProduction, From: start, To: start.Add(601 * time.Second)}}, Limit: 100, Labels: true}
	reader := Reader{Conn: db.Conn()}
	got, err := reader.Read(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got.Total != 600 || got.Len() != 100 || !slices.IsSortedFunc(got.Times, time.Time.Compare) {
		t.Fatalf("%d of %d rows, sorted %v", got.Len(), got.Total, slices.IsSortedFunc(got.Times, time.Time.Compare))
	}
	again, err := reader.Read(t.Context(), q)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("another reading has other rows: %v", err)
	}
	for i, at := range got.Times {
		n := 600 - int(at.Sub(start)/time.Second)
		missing, label := n%3 == 0, "yes"
		if n%2 == 1 {
			label = ""
		}
		number, word := got.Numbers["amount"][i], got.Words["country"]
		if math.IsNaN(number) != missing || !missing && (number != float64(n) || got.Scores[i] != number/600) || word.Null[i] == missing || got.Labels[i] != label || math.IsNaN(got.Scores[i]) != missing {
			t.Fatalf("row %d: %v, %q (null %v), score %v, label %q", n, number, word.Values[i], word.Null[i], got.Scores[i], got.Labels[i])
		}
	}
	half := q.Windows[0]
	half.Segment = "region=eu"
	q.Windows, q.Limit = []drift.Query{half, half}, 1000
	q.Windows[0].To, q.Windows[1].From = start.Add(300*time.Second), start.Add(300*time.Second)
	slice, err := reader.Read(t.Context(), q)
	if err != nil || slice.Len() != 300 || slice.Total != 300 {
		t.Errorf("a slice of %d of %d rows, %v", slice.Len(), slice.Total, err)
	}
	s, err := slice.Sample("amount")
	if err != nil || s.Total() != 300 || s.Absent != 100 || s.Numbers.Total() != 200 {
		t.Errorf("%+v, %v", s, err)
	}
	if f := slice.Features(); !slices.Equal(f, []plumbline.Feature{"amount", "country"}) {
		t.Errorf("features %v", f)
	}
	q.Windows[0].Segment, q.Windows[1].Segment = "region=eu,plan=gold", "region=us"
	if joint, err := reader.Read(t.Context(), q); err != nil || joint.Total != 150 {
		t.Errorf("a joint slice without rows and one of 150: %d, %v", joint.Total, err)
	}
	q.Windows[1].Segment = "region=other"
	if _, err := reader.Read(t.Context(), q); err == nil || !strings.Contains(err.Error(), `segment "region=other": raw rows do not tell`) {
		t.Errorf("other: %v", err)
	}
	if _, err := reader.Read(t.Context(), Query{Windows: q.Windows, Limit: 1}); err == nil || !strings.Contains(err.Error(), `model "m": limit of 0 rows`) {
		t.Errorf("less than a row a window: %v", err)
	}
}
