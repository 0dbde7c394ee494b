package dialects_test

import (
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/testenv/dialects"
)

const header = "timestamp,car_value,debt_to_income_ratio,loan_length,driver_tenure,y_pred_proba," +
	"salary_range,repaid_loan_on_prev_car,size_of_downpayment,y_pred,repaid\n"

// loans writes a table of the shape of the car loan data, made up.
func loans(t *testing.T, rows int) string {
	t.Helper()
	var text strings.Builder
	text.WriteString(header)
	for i := range rows {
		x := (i*i + 31*i) % 997
		score := float64(x%101) / 101
		chosen, repaid := 0, 0
		if score > 0.5 {
			chosen = 1
		}
		if x%7 < chosen*6+1 {
			repaid = 1
		}
		fmt.Fprintf(&text, "2018-01-%09d,%d,%g,%d,%g,%g,r%d,%t,%d%%,%d,%d\n",
			i, x*40, float64(x)/997, x%20, float64(x%50)/7, score, x%4, x%3 == 0, x%10, chosen, repaid)
	}
	return write(t, text.String())
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.csv.gz")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	packed := gzip.NewWriter(file)
	if _, err := packed.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCarLoanComputesEveryPrintedPlace(t *testing.T) {
	table, err := dialects.ReadTable(loans(t, 50_000))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := dialects.CarLoan().Compute(table, table)
	if err != nil {
		t.Fatal(err)
	}
	printed, err := dialects.CarLoan().Printed()
	if err != nil {
		t.Fatal(err)
	}
	for place := range printed {
		if _, computed := ours[place]; !computed {
			t.Errorf("%s is not computed", place)
		}
	}
}

func TestCompareFindsWhatDiffers(t *testing.T) {
	for _, study := range []dialects.Study{dialects.Hotel(), dialects.CarLoan()} {
		printed, err := study.Printed()
		if err != nil {
			t.Fatal(err)
		}
		if len(printed) < 1400 {
			t.Errorf("NannyML printed %d digits on %s", len(printed), study.Name)
		}
		for _, f := range study.Compare(printed, printed) {
			if !f.Met {
				t.Errorf("NannyML against itself: %+v", f)
			}
		}
	}
	printed, err := dialects.CarLoan().Printed()
	if err != nil {
		t.Fatal(err)
	}
	place := dialects.Place{Column: "cbpe", Measure: "roc_auc", Field: "sampling_error", Period: "analysis", Chunk: "[0:4999]"}
	for name, spoil := range map[string]func(map[dialects.Place]float64){
		"a digit":  func(m map[dialects.Place]float64) { m[place] *= 1 + 1e-8 },
		"an alert": func(m map[dialects.Place]float64) { p := place; p.Field = "alert"; m[p] = 1 - m[p] },
		"a hole":   func(m map[dialects.Place]float64) { p := place; p.Measure = "f1"; delete(m, p) },
	} {
		wrong := maps.Clone(printed)
		spoil(wrong)
		unmet := 0
		for _, f := range dialects.CarLoan().Compare(wrong, printed) {
			if !f.Met {
				unmet++
			}
		}
		if unmet != 1 {
			t.Errorf("%s that differs leaves %d figures unmet, want 1", name, unmet)
		}
	}
}

func TestReadTableRefuses(t *testing.T) {
	if _, err := dialects.ReadTable(write(t, header)); err == nil {
		t.Error("a table without rows is read")
	}
	if _, err := dialects.ReadTable(write(t, "a,b\n1,2\n3\n")); err == nil {
		t.Error("a ragged table is read")
	}
	table, err := dialects.ReadTable(write(t, "a,b,timestamp\n1,x,2\n,2,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Numbers("b"); err == nil {
		t.Error("a word is read as a number")
	}
	if _, err := table.Flags("a"); err == nil {
		t.Error("a null is read as a flag")
	}
	if _, err := table.Words("c"); err == nil {
		t.Error("a column that is not there is read")
	}
	if table.Sorted("timestamp") == nil {
		t.Error("a falling column counts as sorted")
	}
}
