package ask

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Slices are the declared segments of a model.
type Slices struct {
	// Values are those that are counted apart, by segment; all others are other.
	Values map[string][]string
	// Joint are the combinations that are counted, too, names in order.
	Joint [][]string
}

// other is the value of a segment that is none of those listed.
const other = "other"

// Sliced returns an Asker like this one whose Reply refuses segments that are not
// declared and of which the window has nothing.
func (a *Asker) Sliced(slices map[plumbline.Model]Slices) *Asker {
	out := *a
	out.slices, out.sliced = slices, true
	return &out
}

// NobodyError is a model or deploy that no prediction is stored of.
type NobodyError struct{ text string }

func (e NobodyError) Error() string { return e.text }

// Reply is Ask for a person, who may have misspelt a name: of what nothing is known is
// an error that names what is, where Ask has an answer without a number. It also says how
// many labels wait to be joined.
func (a *Asker) Reply(ctx context.Context, q Question) (Answer, error) {
	answer, err := a.Ask(ctx, q)
	if err != nil {
		return answer, err
	}
	unjoined, err := history.Reader{Conn: a.conn}.Unjoined(ctx)
	if err != nil {
		return Answer{}, fmt.Errorf("quality of model %q: %w", q.Model, err)
	}
	answer.Unjoined = history.Waiting(unjoined, q.AsOf)
	if slices.ContainsFunc(answer.Parts, func(p Part) bool { return p.Requests > 0 || p.Labelled > 0 }) {
		return answer, nil
	}
	// What was counted is answered, whatever is declared today: a value that was taken
	// out of the configuration has a past.
	if err := a.misnamed(q); err != nil {
		return Answer{}, err
	}
	return answer, a.nobody(ctx, q)
}

// misnamed returns an error for each segment of a question that is not declared, where
// the window has nothing of it.
func (a *Asker) misnamed(q Question) error {
	if !a.sliced {
		return nil
	}
	declared := a.slices[q.Model]
	var errs []error
	if q.Segment != "" {
		errs = append(errs, declared.check(q.Model, string(q.Segment)))
	}
	if name, ok := q.By.segment(); ok && declared.Values[name] == nil && (name != "" || len(declared.Values) == 0) {
		errs = append(errs, absent("by", declared.undeclared(q.Model, name)))
	}
	return errors.Join(errs...)
}

// absent is a segment that is not declared.
func absent(parameter string, undeclared error) ParameterError {
	return ParameterError{Name: parameter, Err: fmt.Errorf("%w; and nothing of it is stored in this window", undeclared)}
}

// check returns an error unless the segment is one that is counted.
func (s Slices) check(model plumbline.Model, segment string) error {
	var names []string
	for pair := range strings.SplitSeq(segment, ",") {
		name, value, _ := strings.Cut(pair, "=")
		values, ok := s.Values[name]
		if !ok {
			return absent("segment", s.undeclared(model, name))
		}
		if value != other && !slices.Contains(values, value) {
			return absent("segment", fmt.Errorf("%q is no value of segment %s that is counted apart; there are %s%s; all others are other", value, name, listed(values), meant(value, values)))
		}
		names = append(names, name)
	}
	if len(names) > 1 && !slices.ContainsFunc(s.Joint, func(joint []string) bool { return slices.Equal(joint, names) }) {
		return absent("segment", fmt.Errorf("%q: model %q declares no joint segment of %v in this order; it declares %v", segment, model, names, s.Joint))
	}
	return nil
}

func (s Slices) undeclared(model plumbline.Model, name string) error {
	if len(s.Values) == 0 {
		return fmt.Errorf("no segments are declared for model %q: name them under models, segments", model)
	}
	names := slices.Sorted(maps.Keys(s.Values))
	return fmt.Errorf("%q is no segment of model %q; it declares %s%s", name, model, listed(names), meant(name, names))
}

// meant asks for the nearest name, if there is one.
func meant(name string, known []string) string {
	if near := serve.Nearest(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// nobody returns an error if no prediction is stored of the model or of a deploy of it.
func (a *Asker) nobody(ctx context.Context, q Question) error {
	models, deploys := map[string]bool{}, map[string]bool{}
	err := a.each(ctx, "names of models", namesSQL, q.parameters(Declaration{}), func(rows driver.Rows) error {
		var model, deploy string
		err := rows.Scan(&model, &deploy)
		models[model] = true
		if model == string(q.Model) {
			deploys[deploy] = true
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("quality of model %q: %w", q.Model, err)
	}
	if !models[string(q.Model)] {
		return stranger(fmt.Sprintf("no prediction of model %q is stored", q.Model), "models", string(q.Model), slices.Sorted(maps.Keys(models)))
	}
	asked := slices.Clone(q.Deploys)
	if q.Why != nil {
		asked = append(asked, q.Why.Deploys...)
	}
	for _, d := range asked {
		if !deploys[string(d)] {
			return stranger(fmt.Sprintf("no prediction of deploy %q of model %q is stored", d, q.Model), "deploys", string(d), slices.Sorted(maps.Keys(deploys)))
		}
	}
	return nil
}

func stranger(what, kind, name string, known []string) error {
	if len(known) == 0 {
		return NobodyError{what + ", and of no other"}
	}
	return NobodyError{fmt.Sprintf("%s; %s: %s%s", what, kind, listed(known), meant(name, known))}
}
