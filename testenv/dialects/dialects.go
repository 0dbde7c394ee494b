// Package dialects holds the dialects of analyze/dialect against the digits
// their peers print on public data: NannyML on the car loan and hotel booking
// data of NannyML/nannyml-datasets (MIT), which are read from files and never
// part of this repository. It is for evaluation only; nothing of the product uses it.
//
// nannyml_0.13.1_car_loan.csv is what NannyML 0.13.1 printed on that data in
// chunks of 5,000 (numpy 2.4.6, pandas 3.1.1, scikit-learn 1.9.1, scipy
// 1.17.1), every chunk of both periods, by
//
//	columns = numeric + categorical
//	c = nannyml.UnivariateDriftCalculator(column_names=columns, treat_as_categorical=['y_pred'],
//	    timestamp_column_name='timestamp', chunk_size=5000,
//	    continuous_methods=['kolmogorov_smirnov', 'jensen_shannon', 'wasserstein', 'hellinger'],
//	    categorical_methods=['chi2', 'jensen_shannon', 'l_infinity', 'hellinger'])
//	c.fit(reference); c.calculate(monitoring).to_df()
//	e = nannyml.CBPE(y_pred_proba='y_pred_proba', y_pred='y_pred', y_true='repaid',
//	    timestamp_column_name='timestamp', metrics=['roc_auc', 'accuracy', 'f1'],
//	    chunk_size=5000, problem_type='classification_binary')
//	e.fit(reference); e.estimate(monitoring.drop(columns=['repaid'])).to_df()
//
// and nannyml_0.13.1_hotel.csv the same on the hotel booking data in chunks of
// 3,000, with the columns of Hotel, company as text, no timestamp column and
// y_true='is_canceled'; both with
//
//	NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
//
// because one sampling error depends on the processor (docs/dialects.md).
package dialects

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
)

// Table is a CSV file by column, as text.
type Table struct {
	columns map[string][]string
	rows    int
}

// ReadTable reads a CSV file compressed with gzip. The first line names the
// columns.
func ReadTable(path string) (table *Table, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	records, err := csv.NewReader(plain).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(records) < 2 {
		return nil, fmt.Errorf("read %s: no rows", path)
	}
	t := &Table{columns: make(map[string][]string), rows: len(records) - 1}
	for at, name := range records[0] {
		values := make([]string, 0, t.rows)
		for _, record := range records[1:] {
			values = append(values, record[at])
		}
		t.columns[name] = values
	}
	return t, nil
}

// Rows is the number of rows.
func (t *Table) Rows() int { return t.rows }

// Words returns a column as categories; an empty field is a null.
func (t *Table) Words(name string) (dialect.Column, error) {
	words, known := t.columns[name]
	if !known {
		return dialect.Column{}, fmt.Errorf("column %s: not in the table", name)
	}
	null := make([]bool, len(words))
	for i, w := range words {
		null[i] = w == ""
	}
	return dialect.Categorical(words, null)
}

// Numbers returns a column as numbers; an empty field is NaN.
func (t *Table) Numbers(name string) ([]float64, error) {
	words, known := t.columns[name]
	if !known {
		return nil, fmt.Errorf("column %s: not in the table", name)
	}
	values := make([]float64, len(words))
	for i, w := range words {
		values[i] = math.NaN()
		if w == "" {
			continue
		}
		v, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nil, fmt.Errorf("column %s, row %d: %w", name, i, err)
		}
		values[i] = v
	}
	return values, nil
}

// Flags returns a column of 0 and 1, where 1 is true.
func (t *Table) Flags(name string) ([]bool, error) {
	values, err := t.Numbers(name)
	if err != nil {
		return nil, err
	}
	flags := make([]bool, len(values))
	for i, v := range values {
		if v != 0 && v != 1 {
			return nil, fmt.Errorf("column %s, row %d: %g is neither 0 nor 1", name, i, v)
		}
		flags[i] = v == 1
	}
	return flags, nil
}

// Sorted reports an error unless the column never falls, compared as text:
// NannyML sorts by timestamp before it cuts chunks, and these files are sorted.
func (t *Table) Sorted(name string) error {
	words := t.columns[name]
	for i := 1; i < len(words); i++ {
		if words[i] < words[i-1] {
			return fmt.Errorf("column %s: row %d is earlier than the row before it", name, i)
		}
	}
	return nil
}
