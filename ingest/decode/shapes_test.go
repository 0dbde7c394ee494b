package decode

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shapeCase is one record of a foreign shape: testdata/<format>/<name>.json.
type shapeCase struct {
	name   string
	source Source
}

func (c shapeCase) path() string { return filepath.Join("testdata", string(c.source.Format), c.name) }

// withFiles returns the source with the mapping file beside the record.
func (c shapeCase) withFiles(t testing.TB) Source {
	s := c.source
	if s.Format == FormatMapping {
		s.MappingFile = c.path() + ".yml"
		if err := s.ReadFiles(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func shapeCases() []shapeCase {
	capture := Source{Format: FormatSageMaker, Model: "churn", Deploy: "variant-a", Holds: []Kind{KindPredictions}}
	named := capture
	named.FeatureNames = []string{"size", "shell", "sex"}
	named.Sampled = 0.2
	two := capture
	two.FeatureNames = []string{"a", "b"}
	pointed := capture
	pointed.Score, pointed.Predicted = "/probabilities/1", "/class"
	softprob := capture
	softprob.Score = "/1"
	forest := capture
	forest.Answers, forest.Score = "/scores", "/score"
	classes := capture
	classes.Classes = true
	regression := capture
	regression.Output = "predicted"
	truth := Source{Format: FormatSageMakerTruth, Model: "churn", Holds: []Kind{KindLabels}}
	classTruth := truth
	classTruth.Classes = true
	table := Source{Format: FormatMLflow, Model: "churn", Holds: []Kind{KindPredictions}}
	legacy := Source{Format: FormatMLflow, Tabular: Tabular{Nested: "skip"}, Holds: []Kind{KindPredictions}}
	second := table
	second.Score = "/1"
	azure := Source{Format: FormatAzureML, Holds: []Kind{KindPredictions}}
	azureClass := azure
	azureClass.Output, azureClass.Classes = "predicted", true
	azureBoth := azure
	azureBoth.Score, azureBoth.Predicted = "/prob", "/class"
	azureNamed := azure
	azureNamed.Model, azureNamed.Deploy, azureNamed.Stage = "credit", "d1", "canary"
	genAI := Source{Format: FormatGenAI, Holds: []Kind{KindPredictions, KindLabels}, GenAI: GenAI{Evaluation: "Relevance"}}
	genOnly := Source{Format: FormatGenAI, Holds: []Kind{KindPredictions}, Model: "assistant"}
	genLabels := Source{Format: FormatGenAI, Holds: []Kind{KindLabels}, GenAI: GenAI{Evaluation: "Relevance", EvaluationLabel: true}}
	mapped := Source{Format: FormatMapping, Holds: []Kind{KindPredictions}}
	all := Source{Format: FormatMapping, Holds: []Kind{KindPredictions, KindLabels, KindDeployments}}
	both := Source{Format: FormatMapping, Holds: []Kind{KindPredictions, KindLabels}}
	figures := Source{Format: FormatMapping, Holds: []Kind{KindKPIs}}
	return []shapeCase{
		{"csv", capture}, {"csv_batch", named}, {"json_linear_learner", classes}, {"base64", pointed}, {"jsonlines", capture},
		{"output_only", regression}, {"row_refused", two}, {"csv_lists", softprob}, {"answers", forest}, {"answers_refused", forest},
		{"csv", classTruth}, {"csv_batch", truth}, {"csv_blank", classTruth}, {"json", truth},
		{"gateway", table}, {"legacy", legacy}, {"instances", table}, {"inputs_columns", second}, {"failed", table}, {"bad_request", table}, {"row_refused", table},
		{"model_inputs", azure}, {"model_outputs", azureClass}, {"request", azure}, {"response", azureNamed}, {"inputs_outputs", azureBoth},
		{"other_collection", azure}, {"binary", azure}, {"row_refused", azure},
		{"flat", mapped}, {"rows", mapped}, {"mixed", all}, {"mixed_release", all}, {"mixed_other", all}, {"both", both}, {"both_refused", both}, {"ensemble", mapped}, {"kpis", figures},
		{"mixed", genAI}, {"predictions_only", genOnly}, {"labels_by_name", genLabels}, {"refused", genAI},
	}
}

func openShape(t testing.TB, s Source) (Decoder, Columns) {
	t.Helper()
	s.Topic = "events"
	if err := s.Validate(); err != nil {
		t.Fatalf("%s: %v", s.Format, err)
	}
	columns := s.Columns(DefaultLimits())
	d, err := s.Open(columns)
	if err != nil {
		t.Fatal(err)
	}
	return d, columns
}

// dump writes every row, and what was met beside them.
func dump(c Columns) string {
	var out strings.Builder
	if p := c.Predictions; p != nil {
		for i := range p.Len() {
			fmt.Fprintf(&out, "prediction %q model %q deploy %q stage %q half %q ts %d score %s predicted %q/%s latency %s status %q weight %v\n",
				p.ID.At(i), p.Model.At(i), p.Deploy.At(i), p.Stage.At(i), p.Half.At(i), p.TS[i], optional(&p.Score, i),
				p.Predicted.At(i), optional(&p.PredictedValue, i), optional(&p.Latency, i), p.Status.At(i), p.Weight[i])
			if v, ok := p.Propensity.At(i); ok {
				fmt.Fprintf(&out, "  propensity %v\n", v)
			}
			if v, ok := p.Disagreement.At(i); ok {
				fmt.Fprintf(&out, "  disagreement %v\n", v)
			}
			if v, ok := p.Explained.At(i); ok {
				fmt.Fprintf(&out, "  explained %v\n", v)
			}
			dumpFeatures(&out, p, i)
		}
		fmt.Fprintf(&out, "predictions unknown %d skipped %d\n", p.Unknown, p.Skipped)
	}
	if l := c.Labels; l != nil {
		for i := range l.Len() {
			fmt.Fprintf(&out, "label %q model %q ts %d class %q value %s deleted %d\n", l.ID.At(i), l.Model.At(i), l.TS[i], l.Class.At(i), optional(&l.Value, i), l.Deleted[i])
		}
		fmt.Fprintf(&out, "labels unknown %d skipped %d\n", l.Unknown, l.Skipped)
	}
	if d := c.Deployments; d != nil {
		for i := range d.Len() {
			fmt.Fprintf(&out, "deployment model %q deploy %q stage %q ts %d", d.Model.At(i), d.Deploy.At(i), d.Stage.At(i), d.TS[i])
			for _, text := range d.texts() {
				fmt.Fprintf(&out, " %q", text.At(i))
			}
			out.WriteByte('\n')
		}
	}
	if k := c.KPIs; k != nil {
		for i := range k.Len() {
			fmt.Fprintf(&out, "kpi model %q name %q ts %d value %v segment %q\n", k.Model.At(i), k.Name.At(i), k.TS[i], k.Value[i], k.Segment.At(i))
		}
		fmt.Fprintf(&out, "kpis unknown %d skipped %d\n", k.Unknown, k.Skipped)
	}
	return out.String()
}

func dumpFeatures(out *strings.Builder, p *Predictions, i int) {
	from, to := p.Numbers.Row(i)
	for k := from; k < to; k++ {
		fmt.Fprintf(out, "  number %q = %v\n", p.Features.Value(p.Numbers.Keys[k]), p.NumberValues[k])
	}
	from, to = p.Categories.Row(i)
	for k := from; k < to; k++ {
		fmt.Fprintf(out, "  category %q = %q\n", p.Features.Value(p.Categories.Keys[k]), p.Values.Value(p.CategoryValues[k]))
	}
	from, to = p.Nulls.Row(i)
	for k := from; k < to; k++ {
		fmt.Fprintf(out, "  null %q\n", p.Features.Value(p.Nulls.Keys[k]))
	}
	from, to = p.Segments.Row(i)
	for k := from; k < to; k++ {
		fmt.Fprintf(out, "  segment %q = %q\n", p.SegmentKeys.Value(p.Segments.Keys[k]), p.SegmentTexts.Value(p.SegmentValues[k]))
	}
}

func TestShapesGolden(t *testing.T) {
	for _, c := range shapeCases() {
		t.Run(string(c.source.Format)+"/"+c.name, func(t *testing.T) {
			value, err := os.ReadFile(c.path() + ".json")
			if err != nil {
				t.Fatal(err)
			}
			d, columns := openShape(t, c.withFiles(t))
			err = d.Append(Record{Offset: 7, Known: testKnown, Value: value})
			got := dump(columns)
			var some *Refusals
			switch {
			case errors.As(err, &some):
				for _, r := range some.Events {
					got += fmt.Sprintf("refused %d: %v\n%s\n", r.Index, r.Error, r.Value)
				}
			case err != nil:
				got += "refused: " + err.Error() + "\n"
			}
			if *update {
				if err := os.WriteFile(c.path()+".golden", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(c.path() + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, []byte(got)) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
