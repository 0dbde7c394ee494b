package join

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
)

// lossSums are columns of outcome_hours by name, in their own units.
type lossSums map[string]float64

// losses are the lossSums of one labelled prediction by their definitions: f is the score and
// y the label's number, both NaN where there is none, weight how many requests it stands
// for.
func losses(f, predicted, y, weight float64) lossSums {
	s := lossSums{}
	if !math.IsNaN(f) {
		capped, not := math.Max(f, 1e-15), math.Max(1-f, 1e-15)
		s["score_nano"] = weight * f
		s["log_nano"], s["log_squared_nano"] = -weight*math.Log(capped), weight*math.Pow(math.Log(capped), 2)
		s["log_not_nano"], s["log_not_squared_nano"] = -weight*math.Log(not), weight*math.Pow(math.Log(not), 2)
		s["gap_squared_nano"], s["gap_fourth_nano"] = weight*math.Pow(1-f, 2), weight*math.Pow(1-f, 4)
		s["gap_not_squared_nano"], s["gap_not_fourth_nano"] = weight*math.Pow(f, 2), weight*math.Pow(f, 4)
	}
	if !math.IsNaN(y) {
		e := predicted - y
		s["error_atto"], s["absolute_atto"] = weight*e, weight*math.Abs(e)
		s["squared_atto"], s["signed_squared_atto"], s["fourth_atto"] = weight*e*e, weight*e*math.Abs(e), weight*math.Pow(e, 4)
		s["truth_atto"], s["truth_squared_atto"] = weight*y, weight*y*y
		s["truth_third_atto"], s["truth_fourth_atto"] = weight*y*y*y, weight*math.Pow(y, 4)
		s["truth_error_atto"], s["truth_squared_error_atto"] = weight*y*e*e, weight*y*y*e*e
		if y != 0 && math.Abs(e/y) <= 1e12 {
			s["relative_atto"], s["relative_squared_atto"] = weight*math.Abs(e/y), weight*(e/y)*(e/y)
		}
	}
	return s
}

// The lossSums that metrics are made of are those of their definitions, computed here one
// prediction after the other: Verify compares what the join wrote with the same SQL.
func TestLossesAndErrorsAreThoseOfTheirDefinitions(t *testing.T) {
	db := startDB(t)
	random, w := rand.New(rand.NewPCG(8, 20)), newWorld(t, db)
	want := map[string]lossSums{"classes": {}, "numbers": {}}
	nan := math.NaN()
	for i := range 400 {
		id, known, weight := fmt.Sprint("p", i), start.Add(time.Duration(i)*time.Second), 1+random.IntN(3)
		p := row{model: "classes", id: id, ts: known, known: known, topic: "predictions", epoch: "e1", deploy: "d", stage: "production", weight: weight}
		l := row{model: "classes", id: id, ts: known, known: known.Add(time.Minute), topic: "labels", epoch: "e1"}
		var one lossSums
		if i%2 == 0 {
			f := []float64{random.Float64(), 0, 1, 1e-17, 1 - 1e-16}[min(random.IntN(20), 4)]
			if random.IntN(20) > 4 {
				f = random.Float64()
			}
			p.class, p.score, l.class = "yes", &f, []string{"yes", "no"}[random.IntN(2)]
			one = losses(f, nan, nan, float64(weight))
		} else {
			predicted, y := 100*random.NormFloat64(), 100*random.NormFloat64()
			if i%11 == 0 {
				y = 0 // without a relative error
			}
			p.model, l.model, p.value, l.value = "numbers", "numbers", &predicted, &y
			one = losses(nan, predicted, y, float64(weight))
		}
		for name, v := range one {
			want[p.model][name] += v
		}
		w.append(p)
		w.append(l)
	}
	for key := range w.logs {
		w.store(key, len(w.logs[key]), true)
	}
	drain(t, newJoin(t, db, 1000))
	for model, all := range want {
		for name, v := range all {
			got := hourSum(t, db, model, name)
			if math.Abs(got-v) > 1e-6*math.Max(1, math.Abs(v)) {
				t.Errorf("%s of %s: %v, by definition %v", name, model, got, v)
			}
		}
	}
}

// hourSum is the sum of a column of outcome_hours in the unit of its definition.
func hourSum(t *testing.T, db *storage.DB, model, column string) (sum float64) {
	t.Helper()
	unit := "1e9"
	if column[len(column)-4:] == "atto" {
		unit = "1e18"
	}
	if err := db.Conn().QueryRow(t.Context(), "SELECT toFloat64(sum("+column+")) / "+unit+" FROM outcome_hours FINAL WHERE segment = '' AND model = ?", model).Scan(&sum); err != nil {
		t.Fatal(err)
	}
	return sum
}
