package ask

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// kinds says of how many labelled requests answer and truth are classes, of how many
// numbers, and of how many of those both are 0 or 1, as far as their rows are kept; in
// as many parts as they lie in.
type kinds struct{ classes, numbers, bits int64 }

func (a *Asker) kinds(ctx context.Context, q Question, d Declaration) (kinds, error) {
	var k kinds
	err := a.each(ctx, "kinds of labels", q.statement(kindsSQL), q.parameters(d), func(rows driver.Rows) error { return rows.Scan(&k.classes, &k.numbers, &k.bits) })
	return k, err
}

// numbersForClasses says how a producer sends a class that looks like a number.
const numbersForClasses = `predictions are numbers, not classes: send "1" or true`

// other says that predictions are not of the kind that a task compares; empty where few
// are not. Only where nearly all that are labelled are not, their producer is told what
// to send: where some are, it knows by now.
func (k kinds) other(task Task, labelled int64) string {
	other, what, advice := k.numbers, "numbers, not classes", numbersForClasses
	if task == Regression {
		other, what, advice = k.classes, "classes, not numbers", "predictions are classes, not numbers"
	}
	switch kept := k.classes + k.numbers; {
	case !tooMany(other, kept):
		return ""
	case !tooMany(labelled-other, labelled):
		return advice
	default:
		return fmt.Sprintf("%s: of those that are kept %.1f %% are %s", expiredRows, 100*share(other, kept), what)
	}
}

// taskOf is the task that has the metrics which are asked for, or declared: where no
// label is in that is all that says which it is. Of several classes if none has them, or
// there are none.
func (d Declaration) taskOf(asked []metric.ID) Task {
	if len(asked) == 0 {
		asked = d.Metrics
	}
	for _, task := range []Task{Multiclass, Regression, Ranking} {
		of := d
		of.Task = task
		if !slices.ContainsFunc(asked, func(id metric.ID) bool { return !of.has(id) }) {
			return task
		}
	}
	return Multiclass
}

// guess takes the task from the labels that are in.
func (a *Asker) guess(ctx context.Context, q Question, d *Declaration, out *Answer) error {
	k, err := a.kinds(ctx, q, *d)
	if err != nil {
		return err
	}
	d.Task = Multiclass
	if k.numbers > k.classes {
		d.Task = Regression
	}
	switch {
	case k.numbers+k.classes == 0:
		d.Task = d.taskOf(q.Metrics)
		out.Notes = append(out.Notes, "no task is declared for this model, and no label says which; declare it under models, quality: a positive class makes it binary")
		return nil
	case d.Task == Regression && k.bits == k.numbers:
		out.Notes = append(out.Notes, `all labels and predictions are the numbers 0 and 1: if these are classes, send "1" or true`)
	}
	out.Notes = append(out.Notes, fmt.Sprintf("no task is declared for this model; its labels make it %s. Declare it under models, quality: a positive class makes it binary", d.Task))
	return nil
}
