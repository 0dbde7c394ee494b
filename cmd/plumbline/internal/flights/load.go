package flights

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// The columns of the file.
const (
	columnDate        = "date" // microseconds since the epoch, local time
	columnDelay       = "delay"
	columnDistance    = "distance"
	columnOrigin      = "origin"
	columnDestination = "destination"
)

// readBatch is how many values are asked of a column at once.
const readBatch = 8192

// Load reads from the Parquet file at path the flights that depart in any of
// the spans, or all flights if no span is given. Row groups outside the spans
// are not read. Every error names the file, and the row where one is at fault.
func Load(path string, spans ...Span) (data *Data, err error) {
	// The Parquet reader checks little of what a damaged file claims and
	// panics on what it did not check.
	defer func() {
		if p := recover(); p != nil {
			data, err = nil, fmt.Errorf("flights: read %s: damaged file: %v", path, p)
		}
	}()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("flights: there is no %s; get the file with `make data`, or name it with --flights or PLUMBLINE_FLIGHTS (%w)", path, fs.ErrNotExist)
	}
	reader, err := file.OpenParquetFile(path, false)
	if err != nil {
		return nil, fmt.Errorf("flights: open %s: %w", path, err)
	}
	l := loader{reader: reader, spans: spans, data: &Data{}, codes: make(map[string]airport)}
	err = l.load()
	if err := errors.Join(err, reader.Close()); err != nil {
		return nil, fmt.Errorf("flights: read %s: %w", path, err)
	}
	return l.data, nil
}

type loader struct {
	reader *file.Reader
	spans  []Span
	data   *Data
	codes  map[string]airport
	column map[string]int

	// Columns of the row group in hand.
	dates, delays, distances []int64
	origins, destinations    []airport
}

func (l *loader) load() error {
	if err := l.findColumns(); err != nil {
		return err
	}
	first := int64(0)
	for g := range l.reader.NumRowGroups() {
		group := l.reader.RowGroup(g)
		rows := group.NumRows()
		if first+rows > math.MaxInt32 || rows < 0 {
			return fmt.Errorf("row group %d claims %d rows", g, rows)
		}
		wanted, err := l.wants(group.MetaData())
		if err != nil {
			return fmt.Errorf("row group %d: %w", g, err)
		}
		if wanted {
			if err := l.loadGroup(group, int32(first)); err != nil {
				return fmt.Errorf("row group %d: %w", g, err)
			}
		}
		first += rows
	}
	return nil
}

func (l *loader) findColumns() error {
	l.column = make(map[string]int)
	sc := l.reader.MetaData().Schema
	for name, physical := range map[string]parquet.Type{
		columnDate: parquet.Types.Int64, columnDelay: parquet.Types.Int64, columnDistance: parquet.Types.Int64,
		columnOrigin: parquet.Types.ByteArray, columnDestination: parquet.Types.ByteArray,
	} {
		i := sc.ColumnIndexByName(name)
		if i < 0 {
			return fmt.Errorf("no column %q", name)
		}
		if got := sc.Column(i).PhysicalType(); got != physical {
			return fmt.Errorf("column %q is of type %s, want %s", name, got, physical)
		}
		if sc.Column(i).MaxRepetitionLevel() > 0 {
			return fmt.Errorf("column %q is repeated", name)
		}
		l.column[name] = i
	}
	logical, ok := sc.Column(l.column[columnDate]).LogicalType().(*schema.TimestampLogicalType)
	if !ok || logical.TimeUnit() != schema.TimeUnitMicros {
		return fmt.Errorf("column %q is not a timestamp in microseconds", columnDate)
	}
	return nil
}

// wants reports whether the row group may hold a flight of the spans; without
// statistics it must be read to know.
func (l *loader) wants(group *metadata.RowGroupMetaData) (bool, error) {
	if len(l.spans) == 0 {
		return true, nil
	}
	chunk, err := group.ColumnChunk(l.column[columnDate])
	if err != nil {
		return false, err
	}
	set, err := chunk.StatsSet()
	if err != nil || !set {
		return true, err
	}
	stats, err := chunk.Statistics()
	if err != nil {
		return false, err
	}
	dates, ok := stats.(*metadata.Int64Statistics)
	if !ok || !dates.HasMinMax() {
		return true, nil
	}
	return slices.ContainsFunc(l.spans, func(s Span) bool {
		return s.From.UnixMicro() <= dates.Max() && s.To.UnixMicro() > dates.Min()
	}), nil
}

func (l *loader) loadGroup(group *file.RowGroupReader, first int32) error {
	var err error
	for _, c := range []struct {
		name string
		out  *[]int64
	}{{columnDate, &l.dates}, {columnDelay, &l.delays}, {columnDistance, &l.distances}} {
		if *c.out, err = l.readInts(group, c.name, (*c.out)[:0]); err != nil {
			return fmt.Errorf("column %q: %w", c.name, err)
		}
	}
	// In this order, always: airports are numbered as they are met, and the
	// model's sums, and so its deploy hash, follow the numbering.
	for _, c := range []struct {
		name string
		out  *[]airport
	}{{columnOrigin, &l.origins}, {columnDestination, &l.destinations}} {
		if *c.out, err = l.readAirports(group, c.name, (*c.out)[:0]); err != nil {
			return fmt.Errorf("column %q: %w", c.name, err)
		}
	}
	n := len(l.dates)
	if len(l.delays) != n || len(l.distances) != n || len(l.origins) != n || len(l.destinations) != n {
		return errors.New("columns of unequal length")
	}
	for i, micros := range l.dates {
		m, err := minuteOfMicros(micros)
		if err != nil {
			return fmt.Errorf("row %d: %w", int(first)+i, err)
		}
		if !l.inSpans(m) {
			continue
		}
		if err := l.data.append(first+int32(i), m, l.delays[i], l.distances[i], l.origins[i], l.destinations[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) inSpans(m minute) bool {
	return len(l.spans) == 0 || slices.ContainsFunc(l.spans, func(s Span) bool { return s.contains(m) })
}

// minuteOfMicros refuses what a minute does not hold: times before 1970 and
// after the year 6000.
func minuteOfMicros(micros int64) (minute, error) {
	m := micros / time.Minute.Microseconds()
	if micros < 0 || m > math.MaxInt32 {
		return 0, fmt.Errorf("departure of %d us since 1970", micros)
	}
	return minute(m), nil
}

func (l *loader) readInts(group *file.RowGroupReader, name string, out []int64) ([]int64, error) {
	chunk, err := group.Column(l.column[name])
	if err != nil {
		return nil, err
	}
	reader, ok := chunk.(*file.Int64ColumnChunkReader)
	if !ok {
		return nil, fmt.Errorf("read as %T", chunk)
	}
	var values [readBatch]int64
	var levels [readBatch]int16
	for reader.HasNext() {
		total, read, err := reader.ReadBatch(readBatch, values[:], levels[:], nil)
		if err := checkBatch(total, read, err); err != nil {
			return nil, err
		}
		out = append(out, values[:read]...)
	}
	return out, reader.Err()
}

func (l *loader) readAirports(group *file.RowGroupReader, name string, out []airport) ([]airport, error) {
	chunk, err := group.Column(l.column[name])
	if err != nil {
		return nil, err
	}
	reader, ok := chunk.(*file.ByteArrayColumnChunkReader)
	if !ok {
		return nil, fmt.Errorf("read as %T", chunk)
	}
	values := make([]parquet.ByteArray, readBatch)
	var levels [readBatch]int16
	for reader.HasNext() {
		total, read, err := reader.ReadBatch(readBatch, values, levels[:], nil)
		if err := checkBatch(total, read, err); err != nil {
			return nil, err
		}
		for _, code := range values[:read] {
			a, err := l.intern(code)
			if err != nil {
				return nil, err
			}
			out = append(out, a)
		}
	}
	return out, reader.Err()
}

func checkBatch(total int64, read int, err error) error {
	switch {
	case err != nil:
		return err
	case total != int64(read):
		return errors.New("holds nulls")
	case read == 0:
		return errors.New("ends early")
	}
	return nil
}

// intern returns the index of an airport's code. The value belongs to the
// reader's page and is copied once.
func (l *loader) intern(code []byte) (airport, error) {
	if a, ok := l.codes[string(code)]; ok {
		return a, nil
	}
	if !isAirportCode(code) {
		return 0, fmt.Errorf("%q is not the code of an airport", code)
	}
	if len(l.data.airports) > math.MaxUint16 {
		return 0, errors.New("more airports than an index holds")
	}
	a := airport(len(l.data.airports))
	l.data.airports = append(l.data.airports, string(code))
	l.codes[string(code)] = a
	return a, nil
}

// isAirportCode accepts what needs no escape in JSON.
func isAirportCode(code []byte) bool {
	for _, c := range code {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(code) > 0 && len(code) <= 8
}
