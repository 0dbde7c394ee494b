package dialects

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

var (
	//go:embed nannyml_0.13.1_car_loan.csv
	carLoanPrinted string
	//go:embed nannyml_0.13.1_hotel.csv
	hotelPrinted string
)

// Study is one data set with what NannyML printed on it.
type Study struct {
	Name           string
	printed        string
	chunkRows      int
	numeric, words []string
	label          string
	sortedBy       string // empty where NannyML was given no timestamp
	named          []namedDigit
}

// namedDigit is a digit known before this package was written, to the precision
// it was given with.
type namedDigit struct {
	place  Place
	digits string
}

// CarLoan is the synthetic car loan data in chunks of 5,000.
func CarLoan() Study {
	const column, period, chunk = "debt_to_income_ratio", "analysis", "[0:4999]"
	return Study{
		Name: "car loan", printed: carLoanPrinted, chunkRows: 5000, label: "repaid", sortedBy: "timestamp",
		numeric: []string{"car_value", "debt_to_income_ratio", "loan_length", "driver_tenure", "y_pred_proba"},
		words:   []string{"salary_range", "repaid_loan_on_prev_car", "size_of_downpayment", "y_pred"},
		named: []namedDigit{
			{Place{"cbpe", "roc_auc", "value", period, chunk}, "0.970744"},
			{Place{"cbpe", "roc_auc", "sampling_error", period, chunk}, "0.001811"},
			{Place{column, "kolmogorov_smirnov", "value", period, chunk}, "0.01576"},
			{Place{Column: column, Measure: "kolmogorov_smirnov", Field: "upper_threshold"}, "0.0185838"},
			{Place{column, "jensen_shannon", "value", period, chunk}, "0.0316611"},
			{Place{Column: column, Measure: "jensen_shannon", Field: "upper_threshold"}, "0.0393276"},
		},
	}
}

// Hotel is the hotel booking data, which is real, in chunks of 3,000. It has
// words the reference lacks, and a last chunk that is shorter.
func Hotel() Study {
	return Study{
		Name: "hotel", printed: hotelPrinted, chunkRows: 3000, label: "is_canceled",
		numeric: []string{"lead_time", "adr", "children", "y_pred_proba"},
		words:   []string{"country", "meal", "company", "market_segment"},
	}
}

// Place is where NannyML prints a digit: in a column of its result, of one
// chunk, or of none for a threshold.
type Place struct {
	Column  string // feature, or cbpe
	Measure string
	Field   string
	Period  string // reference or analysis, empty for thresholds
	Chunk   string
}

func (p Place) String() string {
	where := ""
	if p.Chunk != "" {
		where = ", " + p.Period + " chunk " + p.Chunk
	}
	return fmt.Sprintf("NannyML %s %s of %s%s", p.Measure, p.Field, p.Column, where)
}

// Printed returns every digit NannyML printed, NaN never among them. An alert is
// 1, no alert 0.
func (s Study) Printed() (map[Place]float64, error) {
	records, err := csv.NewReader(strings.NewReader(s.printed)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read what NannyML printed on %s: %w", s.Name, err)
	}
	digits := make(map[Place]float64)
	for _, r := range records[1:] {
		v, err := strconv.ParseFloat(r[5], 64)
		if err != nil {
			return nil, fmt.Errorf("read what NannyML printed on %s: %w", s.Name, err)
		}
		digits[Place{r[0], r[1], r[2], r[3], r[4]}] = v
	}
	return digits, nil
}

// Compute fills the same places with our dialect.
func (s Study) Compute(reference, monitoring *Table) (map[Place]float64, error) {
	ours := make(map[Place]float64)
	if s.sortedBy != "" {
		for _, t := range []*Table{reference, monitoring} {
			if err := t.Sorted(s.sortedBy); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range s.numeric {
		measures := []dialect.Measure{dialect.KolmogorovSmirnov, dialect.JensenShannon, dialect.Wasserstein, dialect.Hellinger}
		if err := s.univariate(ours, name, measures, reference, monitoring, numeric); err != nil {
			return nil, err
		}
	}
	for _, name := range s.words {
		measures := []dialect.Measure{dialect.ChiSquare, dialect.JensenShannon, dialect.LInfinity, dialect.Hellinger}
		if err := s.univariate(ours, name, measures, reference, monitoring, (*Table).Words); err != nil {
			return nil, err
		}
	}
	return ours, s.cbpe(ours, reference, monitoring)
}

func numeric(t *Table, name string) (dialect.Column, error) {
	values, err := t.Numbers(name)
	return dialect.Numeric(values), err
}

func (s Study) univariate(ours map[Place]float64, name string, measures []dialect.Measure, reference, monitoring *Table,
	column func(*Table, string) (dialect.Column, error),
) error {
	ref, err := column(reference, name)
	if err != nil {
		return err
	}
	mon, err := column(monitoring, name)
	if err != nil {
		return err
	}
	refChunks, err := dialect.ChunksOf(ref.Len(), s.chunkRows)
	if err != nil {
		return err
	}
	monChunks, err := dialect.ChunksOf(mon.Len(), s.chunkRows)
	if err != nil {
		return err
	}
	for _, m := range measures {
		drift, err := dialect.FitNannyMLDrift(ref, m, refChunks)
		if err != nil {
			return err
		}
		put := func(period string, c dialect.Chunk, score dialect.Score) {
			ours[Place{name, string(m), "value", period, c.Key()}] = score.Value
			ours[Place{name, string(m), "alert", period, c.Key()}] = flag(score.Alert)
			if !math.IsNaN(score.Threshold) {
				ours[Place{Column: name, Measure: string(m), Field: "upper_threshold"}] = score.Threshold
			}
		}
		for _, c := range refChunks {
			put("reference", c, drift.Score(ref.Rows(c.From, c.To)))
		}
		for _, c := range monChunks {
			put("analysis", c, drift.Score(mon.Rows(c.From, c.To)))
		}
	}
	return nil
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func predictions(t *Table) (p dialect.Predictions, err error) {
	if p.Scores, err = t.Numbers("y_pred_proba"); err != nil {
		return p, err
	}
	p.Chosen, err = t.Flags("y_pred")
	return p, err
}

func (s Study) cbpe(ours map[Place]float64, reference, monitoring *Table) error {
	ref, err := predictions(reference)
	if err != nil {
		return err
	}
	mon, err := predictions(monitoring)
	if err != nil {
		return err
	}
	truth, err := reference.Flags(s.label)
	if err != nil {
		return err
	}
	refChunks, err := dialect.ChunksOf(reference.Rows(), s.chunkRows)
	if err != nil {
		return err
	}
	estimator, err := dialect.FitCBPE(ref, truth, refChunks)
	if err != nil {
		return err
	}
	monChunks, err := dialect.ChunksOf(monitoring.Rows(), s.chunkRows)
	if err != nil {
		return err
	}
	for _, m := range []dialect.Performance{dialect.ROCAUC, dialect.Accuracy, dialect.F1} {
		if err := estimates(ours, estimator, m, "reference", ref, refChunks); err != nil {
			return err
		}
		if err := estimates(ours, estimator, m, "analysis", mon, monChunks); err != nil {
			return err
		}
	}
	return nil
}

func estimates(ours map[Place]float64, estimator *dialect.CBPE, m dialect.Performance, period string, p dialect.Predictions, chunks []dialect.Chunk) error {
	for _, c := range chunks {
		e, err := estimator.Estimate(m, p.Rows(c.From, c.To))
		if err != nil {
			return err
		}
		for field, v := range map[string]float64{
			"value": e.Value, "sampling_error": e.SamplingError, "alert": flag(e.Alert),
			"lower_confidence_boundary": e.Low, "upper_confidence_boundary": e.High,
		} {
			ours[Place{"cbpe", string(m), field, period, c.Key()}] = v
		}
		ours[Place{Column: "cbpe", Measure: string(m), Field: "upper_threshold"}] = e.Upper
		ours[Place{Column: "cbpe", Measure: string(m), Field: "lower_threshold"}] = e.Lower
	}
	return nil
}

// Compare returns the named digits as figures, and for every measure the
// largest relative difference from what NannyML printed.
func (s Study) Compare(ours, peer map[Place]float64) []figure.Figure {
	var figures []figure.Figure
	for _, n := range s.named {
		v := ours[n.place]
		_, decimals, _ := strings.Cut(n.digits, ".")
		figures = append(figures, figure.Figure{
			Name: n.place.String(), Value: v, Unit: "",
			Goal: "= " + n.digits, Met: strconv.FormatFloat(v, 'f', len(decimals), 64) == n.digits,
		})
	}
	worst := make(map[string]float64)
	wrongAlerts, missing, alerts := 0.0, 0.0, 0
	for place, want := range peer {
		got, computed := ours[place]
		switch {
		case !computed:
			missing++
		case place.Field == "alert":
			alerts++
			wrongAlerts += math.Abs(got - want)
		default:
			worst[place.Measure] = max(worst[place.Measure], math.Abs(got-want)/math.Abs(want))
		}
	}
	for _, m := range []string{"kolmogorov_smirnov", "jensen_shannon", "wasserstein", "hellinger", "chi2", "l_infinity", "roc_auc", "accuracy", "f1"} {
		figures = append(figures, figure.AtMost("NannyML "+m+" on "+s.Name+", largest relative difference over columns, chunks and thresholds", worst[m], "", 1e-9))
	}
	return append(figures,
		figure.Exactly(fmt.Sprintf("NannyML alerts on %s decided otherwise, of %d", s.Name, alerts), wrongAlerts, "alerts", 0),
		figure.Exactly(fmt.Sprintf("NannyML digits on %s not computed, of %d", s.Name, len(peer)), missing, "digits", 0))
}
