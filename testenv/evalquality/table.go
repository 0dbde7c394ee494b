package evalquality

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

// Columns names the columns of a table.
type Columns struct {
	// Timestamp of the prediction: a date, a date and time, or Unix seconds.
	Timestamp string
	// Score is the probability of the positive class, Chosen the class the model
	// called (0 or 1) and Label the truth (0 or 1).
	Score, Chosen, Label string
	// Delay is the days after Timestamp at which the label became known, Known
	// the time itself. Without either, labels are known at once.
	Delay, Known string
	// Driver is a number, known with the prediction, that drives the delay.
	// Without it Delay is taken, and without that there is one stratum.
	Driver string
}

// Read reads a CSV file (gzip if it ends in .gz) or a Parquet file (.parquet).
func Read(path string, c Columns) ([]Row, error) {
	var wanted []string
	for _, name := range []string{c.Timestamp, c.Score, c.Chosen, c.Label, c.Delay, c.Known, c.Driver} {
		if name != "" && !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	words, err := readWords(path, wanted)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	rows := make([]Row, len(words[c.Timestamp]))
	for i := range rows {
		if rows[i], err = rowOf(func(name string) string { return words[name][i] }, c); err != nil {
			return nil, fmt.Errorf("read %s: row %d: %w", path, i+1, err)
		}
	}
	return rows, nil
}

func readWords(path string, wanted []string) (words map[string][]string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if strings.HasSuffix(path, ".parquet") {
		return parquetWords(f, wanted)
	}
	var plain io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if plain, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	return csvWords(plain, wanted)
}

func csvWords(plain io.Reader, wanted []string) (map[string][]string, error) {
	in := csv.NewReader(plain)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, err
	}
	at := make(map[string]int)
	for _, name := range wanted {
		if at[name] = slices.Index(header, name); at[name] < 0 {
			return nil, fmt.Errorf("no column %q", name)
		}
	}
	words := make(map[string][]string)
	for {
		record, err := in.Read()
		switch {
		case errors.Is(err, io.EOF):
			return words, nil
		case err != nil:
			return nil, err
		}
		for name, i := range at {
			words[name] = append(words[name], strings.Clone(record[i]))
		}
	}
}

func parquetWords(f *os.File, wanted []string) (map[string][]string, error) {
	raw, err := file.NewParquetReader(f)
	if err != nil {
		return nil, err
	}
	reader, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	words := make(map[string][]string)
	for _, name := range wanted {
		at := raw.MetaData().Schema.ColumnIndexByName(name)
		if at < 0 || raw.MetaData().Schema.Column(at).MaxRepetitionLevel() > 0 {
			return nil, fmt.Errorf("no flat column %q", name)
		}
		for group := range raw.NumRowGroups() {
			chunks, err := reader.RowGroup(group).Column(at).Read(context.Background())
			if err != nil {
				return nil, fmt.Errorf("row group %d, column %q: %w", group, name, err)
			}
			for _, chunk := range chunks.Chunks() {
				words[name] = appendWords(words[name], chunk)
			}
			chunks.Release()
		}
	}
	return words, nil
}

func appendWords(words []string, values arrow.Array) []string {
	for i := range values.Len() {
		if values.IsNull(i) {
			words = append(words, "")
			continue
		}
		words = append(words, values.ValueStr(i))
	}
	return words
}

func rowOf(word func(string) string, c Columns) (Row, error) {
	r := Row{Driver: math.NaN()}
	var err error
	if r.At, err = dayOf(word(c.Timestamp)); err != nil {
		return r, err
	}
	var label, chosen bool
	if r.Score, err = strconv.ParseFloat(word(c.Score), 64); err != nil || !(r.Score >= 0 && r.Score <= 1) {
		return r, fmt.Errorf("score %q is no number in [0, 1]", word(c.Score))
	}
	if chosen, err = flag(word(c.Chosen)); err != nil {
		return r, fmt.Errorf("chosen: %w", err)
	}
	if label, err = flag(word(c.Label)); err != nil {
		return r, fmt.Errorf("label: %w", err)
	}
	r.Chosen, r.truth, r.knownAt = chosen, label, r.At
	if c.Known != "" {
		if r.knownAt, err = dayOf(word(c.Known)); err != nil {
			return r, err
		}
	}
	if c.Delay != "" {
		delay, err := strconv.ParseFloat(word(c.Delay), 64)
		if err != nil || !(delay >= 0 && delay < 1e6) {
			return r, fmt.Errorf("delay %q is no number of days", word(c.Delay))
		}
		r.knownAt, r.Driver = r.At+delay, delay
	}
	if c.Driver != "" {
		if r.Driver, err = strconv.ParseFloat(word(c.Driver), 64); err != nil || math.IsInf(r.Driver, 0) {
			return r, fmt.Errorf("driver %q is no number", word(c.Driver))
		}
	}
	return r, nil
}

func flag(word string) (bool, error) {
	switch word {
	case "0", "false", "False", "0.0":
		return false, nil
	case "1", "true", "True", "1.0":
		return true, nil
	}
	return false, fmt.Errorf("%q is neither 0 nor 1", word)
}

// dayOf returns a time in days since 1970.
func dayOf(word string) (float64, error) {
	if seconds, err := strconv.ParseFloat(word, 64); err == nil && math.Abs(seconds) < 1e12 {
		return seconds / 86400, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, word); err == nil {
			return float64(t.UnixMilli()) / 86_400_000, nil
		}
	}
	return 0, fmt.Errorf("%q is no time", word)
}
