package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/estimates"
)

func TestPrintEstimates(t *testing.T) {
	said, nan := time.Date(2026, 11, 22, 14, 10, 0, 0, time.UTC), math.NaN()
	hour := said.Truncate(time.Hour)
	week := estimates.Estimate{Deploy: "d1", Window: "7d", WindowEnd: hour, Predictions: 7200, LabelledShare: 0.4, Maturity: 0.45, Said: said}
	accuracy, recall, record := week, week, week
	accuracy.Metric, accuracy.Value, accuracy.Low, accuracy.High, accuracy.Verdict, accuracy.Assumes = "accuracy", 0.83, 0.81, 0.85, "ok", "scores mean what they meant; 10 of 10 windows held"
	recall.Metric, recall.Value, recall.Low, recall.High, recall.Verdict, recall.Assumes = "recall", 0.61, 0.5, 0.7, "insufficient", "scores mean what they meant; 8 windows matured, too few"
	record.Metric, record.Value, record.Low, record.High, record.Verdict, record.Predictions, record.Assumes = "interval_record", 1, 0.72, 1, "ok", 10, "windows err independently"
	bounds := estimates.Estimate{
		Deploy: "d 0", Assumes: "others are right or wrong", Window: "1d", WindowEnd: hour.Add(-50 * time.Hour), Metric: "accuracy", Value: nan, Low: 0.5, High: 1, Predictions: 2, LabelledShare: 0.5, Maturity: nan,
		Verdict: "insufficient", Said: said.Add(-3 * time.Hour), Age: 3 * time.Hour, Stale: true,
	}
	none := estimates.Estimate{Deploy: "d1", Window: "1d", WindowEnd: hour, Metric: "accuracy", Value: nan, Low: nan, High: nan, LabelledShare: nan, Maturity: nan, Verdict: "insufficient", Assumes: "no calibration", Said: said}
	var out strings.Builder
	if err := printEstimates(&out, estimates.Answer{Model: "loan", Estimates: []estimates.Estimate{bounds, none, accuracy, record, recall}}); err != nil {
		t.Fatal(err)
	}
	const want = `model loan, stage production: quality estimated before the labels are in, as the service told it last

deploy "d 0", 1d to 2026-11-20 12:00: 2 predictions, 50.0 % with a label
METRIC    VALUE  INTERVAL  VERDICT       SAID
accuracy  -      0.5 to 1  insufficient  2026-11-22 11:10, stale: 3.0 hours ago
assumes: others are right or wrong

deploy d1, 1d to 2026-11-22 14:00
METRIC    VALUE  INTERVAL  VERDICT       SAID
accuracy  -      -         insufficient  2026-11-22 14:10
why: no calibration

deploy d1, 7d to 2026-11-22 14:00: 7200 predictions, 40.0 % with a label, 45.0 % of the labels that will ever come are in
METRIC           VALUE  INTERVAL      VERDICT       SAID
accuracy         0.83   0.81 to 0.85  ok            2026-11-22 14:10
interval_record  1      0.72 to 1     ok            2026-11-22 14:10
recall           0.61   0.5 to 0.7    insufficient  2026-11-22 14:10
assumes: scores mean what they meant
assumes (accuracy): 10 of 10 windows held
assumes (interval_record): windows err independently
assumes (recall): 8 windows matured, too few

insufficient with a number: to look at; no page rests on it
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
