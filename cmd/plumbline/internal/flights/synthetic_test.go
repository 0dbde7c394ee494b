package flights

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// lcg is Knuth's MMIX generator; the Python that computed the oracles of these
// tests uses the same.
type lcg uint64

func (g *lcg) next() float64 {
	*g = *g*6364136223846793005 + 1442695040888963407
	return float64(*g>>11) / (1 << 53)
}

// table is the content of a flights file, before it is written.
type table struct {
	date, delay, distance []int64
	origin, destination   []string
}

func (x *table) add(at time.Time, delay, distance int64, origin, destination string) {
	x.date = append(x.date, at.UnixMicro())
	x.delay = append(x.delay, delay)
	x.distance = append(x.distance, distance)
	x.origin = append(x.origin, origin)
	x.destination = append(x.destination, destination)
}

var january = time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC)

// syntheticFlights departs every two to six minutes for the given days: longer
// flights from busier airports are late more often.
func syntheticFlights(days int) *table {
	g := lcg(7)
	x := &table{}
	airports := []string{"ORD", "ATL", "DFW", "LAX", "PHX", "ABE"}
	for at := january; at.Before(january.AddDate(0, 0, days)); at = at.Add(time.Duration(2+g.next()*5) * time.Minute) {
		o := int(g.next() * g.next() * 6)
		d := (o + 1 + int(g.next()*5)) % 6
		distance := int64(100 + 2400*g.next()*g.next())
		delay := int64(-20 + 30*g.next())
		if g.next() < 0.1+0.1*float64(distance)/2500 {
			delay = 16 + int64(200*g.next())
		}
		x.add(at, delay, distance, airports[o], airports[d])
	}
	return x
}

// syntheticConfig fits syntheticFlights(16).
func syntheticConfig() Config {
	c := DefaultConfig(time.Date(2026, time.November, 21, 3, 30, 42, 0, time.UTC))
	c.Training = Span{From: january, To: january.AddDate(0, 0, 8)}
	c.Cut = january.AddDate(0, 0, 14).Add(18 * time.Hour)
	c.Backfill = 5 * 24 * time.Hour
	c.AffectedShare = 0.6
	return c
}

// fileShape is how a file differs from what is expected.
type fileShape struct {
	dateLogical schema.LogicalType
	delayName   string
	nullable    bool
	nullAt      int // row with a null delay, if nullable
	rowsPerSet  int
}

func goodShape() fileShape {
	return fileShape{
		dateLogical: schema.NewTimestampLogicalType(false, schema.TimeUnitMicros), delayName: columnDelay,
		nullAt: -1, rowsPerSet: 500,
	}
}

func (s fileShape) write(t testing.TB, x *table) string {
	t.Helper()
	repetition := parquet.Repetitions.Required
	if s.nullable {
		repetition = parquet.Repetitions.Optional
	}
	number := func(name string, logical schema.LogicalType) schema.Node {
		n, err := schema.NewPrimitiveNodeLogical(name, repetition, logical, parquet.Types.Int64, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	text := func(name string) schema.Node {
		n, err := schema.NewPrimitiveNodeLogical(name, repetition, schema.StringLogicalType{}, parquet.Types.ByteArray, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	root, err := schema.NewGroupNode("root", parquet.Repetitions.Required, schema.FieldList{
		number(columnDate, s.dateLogical), number(s.delayName, schema.NoLogicalType{}), number(columnDistance, schema.NoLogicalType{}),
		text(columnOrigin), text(columnDestination),
	}, -1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "flights.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := file.NewParquetWriter(f, root, file.WithWriterProps(parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd))))
	for lo := 0; lo < len(x.date); lo += s.rowsPerSet {
		s.writeGroup(t, w, x, lo, min(lo+s.rowsPerSet, len(x.date)))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s fileShape) writeGroup(t testing.TB, w *file.Writer, x *table, lo, hi int) {
	t.Helper()
	group := w.AppendRowGroup()
	for k := range 5 {
		column, err := group.NextColumn()
		if err != nil {
			t.Fatal(err)
		}
		var levels []int16
		if s.nullable {
			for i := lo; i < hi; i++ {
				levels = append(levels, 1)
			}
		}
		switch c := column.(type) {
		case *file.Int64ColumnChunkWriter:
			values := append([]int64(nil), [][]int64{x.date, x.delay, x.distance}[k][lo:hi]...)
			if k == 1 && s.nullAt >= lo && s.nullAt < hi {
				levels[s.nullAt-lo] = 0
				values = append(values[:s.nullAt-lo], values[s.nullAt-lo+1:]...)
			}
			_, err = c.WriteBatch(values, levels, nil)
		case *file.ByteArrayColumnChunkWriter:
			var values []parquet.ByteArray
			for _, v := range [][]string{x.origin, x.destination}[k-3][lo:hi] {
				values = append(values, parquet.ByteArray(v))
			}
			_, err = c.WriteBatch(values, levels, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := column.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := group.Close(); err != nil {
		t.Fatal(err)
	}
}

// syntheticReplay reads its flights through a file, as the demo does.
func syntheticReplay(t testing.TB) *Replay {
	t.Helper()
	cfg := syntheticConfig()
	data, err := Load(goodShape().write(t, syntheticFlights(16)), cfg.Spans()...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReplay(data, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }
