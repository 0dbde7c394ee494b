package budget

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/parquet/file"

	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Flights reads real series from the flights' Parquet file, in windows of three
// hours by local departure: delay on arrival in minutes and distance in miles.
// The file is in the order of departure.
func Flights(path string) (series []Series, err error) {
	// The Parquet reader checks little of what a damaged file claims.
	defer func() {
		if p := recover(); p != nil {
			series, err = nil, fmt.Errorf("read flights %s: damaged file: %v", path, p)
		}
	}()
	reader, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, fmt.Errorf("open flights %s: %w", path, err)
	}
	columns := map[string][]int64{}
	for _, name := range []string{"date", "delay", "distance"} {
		values, readErr := readColumn(reader, name)
		if readErr != nil {
			return nil, errors.Join(fmt.Errorf("read flights %s, column %s: %w", path, name, readErr), reader.Close())
		}
		columns[name] = values
	}
	if err := reader.Close(); err != nil {
		return nil, fmt.Errorf("close flights %s: %w", path, err)
	}
	times := columns["date"]
	if len(times) == 0 || len(times) != len(columns["delay"]) || len(times) != len(columns["distance"]) {
		return nil, fmt.Errorf("read flights %s: %d times, %d delays, %d distances", path, len(times), len(columns["delay"]), len(columns["distance"]))
	}
	for _, name := range []string{"delay", "distance"} {
		series = append(series, windows("flights: "+name, times, columns[name]))
	}
	return series, nil
}

// readColumn reads a whole column of 64-bit integers without nulls.
func readColumn(reader *file.Reader, name string) ([]int64, error) {
	index := reader.MetaData().Schema.ColumnIndexByName(name)
	if index < 0 {
		return nil, errors.New("there is no such column")
	}
	var all []int64
	values := make([]int64, 64<<10)
	levels := make([]int16, len(values))
	for g := range reader.NumRowGroups() {
		chunk, err := reader.RowGroup(g).Column(index)
		if err != nil {
			return nil, err
		}
		ints, ok := chunk.(*file.Int64ColumnChunkReader)
		if !ok {
			return nil, fmt.Errorf("read as %T", chunk)
		}
		for ints.HasNext() {
			total, n, err := ints.ReadBatch(int64(len(values)), values, levels, nil)
			if err != nil {
				return nil, err
			}
			if n == 0 || total != int64(n) {
				return nil, errors.New("holds nulls or ends early")
			}
			all = append(all, values[:n]...)
		}
	}
	return all, nil
}

// windows cuts a column into windows by the time of its rows, in microseconds.
// It injects nothing.
func windows(name string, micros, values []int64) Series {
	s := Series{Name: name, From: time.UnixMicro(slices.Min(micros)).UTC().Truncate(24 * time.Hour)}
	var buckets [][]int32
	for i, at := range micros {
		w := int(time.UnixMicro(at).Sub(s.From) / span)
		for len(buckets) <= w {
			buckets = append(buckets, nil)
		}
		buckets[w] = append(buckets[w], grid.Bucket(float64(values[i])))
	}
	for _, b := range buckets {
		slices.Sort(b)
		s.Windows = append(s.Windows, drift.Histogram(counted(b)))
	}
	return s
}
