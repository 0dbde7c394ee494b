package analyze

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// without fails every statement that asks for one model.
type without struct {
	quality.Querier
	model string
	// all is when the look has to end; asked is how many statements asked for the
	// model, and late how many could have taken all of the time.
	all         time.Time
	asked, late *int
}

func (w without) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	if !strings.Contains(fmt.Sprint(args...), w.model) {
		return w.Querier.Query(ctx, query, args...)
	}
	*w.asked++
	if deadline, ok := ctx.Deadline(); !ok || !deadline.Before(w.all) {
		*w.late++
	}
	return nil, errors.New("memory limit exceeded")
}

// What cannot be counted of one model is said of it alone: the others have the numbers
// that they would have had, and so have objectives.
func TestOneModelsQualityBlindsNoOther(t *testing.T) {
	db := startDB(t)
	for _, model := range []string{"bad", "good", "other"} {
		store(t, db, model, flights(rand.New(rand.NewPCG(1, 1))))
	}
	r := newRunner(t, db, objective("good"))
	var asked, late int
	r.quality.Conn = without{r.quality.Conn, "bad", time.Now().Add(r.patience), &asked, &late}
	findings, err := r.step(t.Context(), look{name: "service", make: r.lookService})
	if err == nil || !strings.Contains(err.Error(), `["bad"]`) || strings.Contains(err.Error(), `"good"`) {
		t.Errorf("%v, want an error of one model", err)
	}
	got := make(map[string]int)
	for _, f := range findings {
		got[fmt.Sprintf("%s %s %s", f.Signal, f.Model, f.Verdict)]++
		if f.Assumes == "" {
			t.Errorf("%s of %s does not say what it rests on", f.Signal, f.Model)
		}
	}
	want := map[string]int{
		"burn good breach":    2,
		"quality bad missing": 5, "coverage bad missing": 5,
		"quality good ok": 4, "quality good insufficient": 1, "coverage good ok": 5,
		"quality other ok": 4, "quality other insufficient": 1, "coverage other ok": 5,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if asked != 2 || late != 0 {
		t.Errorf("the model was asked for %d times, %d of which may have taken all of the time", asked, late)
	}
}
