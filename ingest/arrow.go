package ingest

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/storage"
)

// arrowColumns collects the columns of one record over slices that already have
// Arrow's layout: nothing is copied, so the slices must not change until the
// record is released.
type arrowColumns struct {
	schema  *arrow.Schema
	rows    int
	columns map[string]arrow.ArrayData
}

func columnsOf(table plumbline.TableName, rows int) *arrowColumns {
	schema := storage.ArrowSchema(table)
	return &arrowColumns{schema: schema, rows: rows, columns: make(map[string]arrow.ArrayData, schema.NumFields())}
}

// record puts the columns in the declared order. It panics if one is missing,
// which is a mistake of this package.
func (c *arrowColumns) record() arrow.Record {
	arrays := make([]arrow.Array, c.schema.NumFields())
	for i, field := range c.schema.Fields() {
		data, ok := c.columns[field.Name]
		if !ok {
			panic("ingest: column " + field.Name + " is not built")
		}
		arrays[i] = array.MakeFromData(data)
		data.Release()
	}
	rec := array.NewRecord(c.schema, arrays, int64(c.rows))
	for _, a := range arrays {
		a.Release()
	}
	return rec
}

func (c *arrowColumns) typeOf(name string) arrow.DataType {
	fields, _ := c.schema.FieldsByName(name)
	return fields[0].Type
}

// bytesOf views a slice as bytes.
func bytesOf[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

func buffer[T any](s []T) *memory.Buffer { return memory.NewBufferBytes(bytesOf(s)) }

// offsets returns Arrow offsets, which even an empty column must have one of.
func offsets(o []int32) *memory.Buffer {
	if len(o) == 0 {
		o = []int32{0}
	}
	return buffer(o)
}

// fixed adds a column of fixed-width values.
func fixed[T any](c *arrowColumns, name string, values []T) {
	c.columns[name] = array.NewData(c.typeOf(name), c.rows, []*memory.Buffer{nil, buffer(values)}, nil, 0, 0)
}

func (c *arrowColumns) floats(name string, f *decode.Floats) {
	c.columns[name] = array.NewData(c.typeOf(name), c.rows, []*memory.Buffer{memory.NewBufferBytes(f.Valid), buffer(f.Values)}, nil, f.Nulls, 0)
}

func (c *arrowColumns) text(name string, t *decode.Text) { c.columns[name] = textData(t) }

func textData(t *decode.Text) arrow.ArrayData {
	return array.NewData(arrow.BinaryTypes.String, t.Len(), []*memory.Buffer{nil, offsets(t.Offsets), memory.NewBufferBytes(t.Bytes)}, nil, 0, 0)
}

func dictData(typ arrow.DataType, ids []int32, dict *decode.Dict) arrow.ArrayData {
	values := textData(dict.Text())
	defer values.Release()
	return array.NewDataWithDictionary(typ, len(ids), []*memory.Buffer{nil, buffer(ids)}, 0, 0, values.(*array.Data))
}

func (c *arrowColumns) names(name string, n *decode.Names) {
	c.columns[name] = dictData(c.typeOf(name), n.IDs, &n.Dict)
}

// constant adds a column that holds one name in every row.
func (c *arrowColumns) constant(name, value string) {
	var d decode.Dict
	d.ID([]byte(value))
	c.columns[name] = dictData(c.typeOf(name), make([]int32, c.rows), &d)
}

// list adds a list column over the data of its entries, which it takes over.
func (c *arrowColumns) list(name string, o []int32, entries arrow.ArrayData) {
	c.columns[name] = array.NewData(c.typeOf(name), c.rows, []*memory.Buffer{nil, offsets(o)}, []arrow.ArrayData{entries}, 0, 0)
	entries.Release()
}

// mapping adds a map column: keys are identifiers in dict.
func (c *arrowColumns) mapping(name string, l *decode.List, dict *decode.Dict, values arrow.ArrayData) {
	typ := c.typeOf(name).(*arrow.MapType)
	keys := dictData(typ.KeyType(), l.Keys, dict)
	entries := array.NewData(typ.Elem(), len(l.Keys), []*memory.Buffer{nil}, []arrow.ArrayData{keys, values}, 0, 0)
	keys.Release()
	values.Release()
	c.list(name, l.Offsets, entries)
}

func floatData(values []float64) arrow.ArrayData {
	return array.NewData(arrow.PrimitiveTypes.Float64, len(values), []*memory.Buffer{nil, buffer(values)}, nil, 0, 0)
}

// texts gathers the strings of identifiers into a plain text column. Most are
// short, so they are copied as wide words, of which the rest is written over by
// the next. It panics if they do not fit a column, which is a mistake of this
// package.
func texts(ids []int32, dict *decode.Dict) arrow.ArrayData {
	const wide = 16
	from := dict.Text()
	t := decode.Text{Offsets: make([]int32, len(ids)+1)}
	size := int64(0)
	for i, id := range ids {
		size += int64(from.Offsets[id+1] - from.Offsets[id])
		t.Offsets[i+1] = int32(size)
	}
	if size > math.MaxInt32-wide {
		panic(fmt.Sprintf("ingest: a column of %d bytes of text has no offsets of 32 bits", size)) // batch.full has not seen it
	}
	t.Bytes = make([]byte, size+wide)
	for i, id := range ids {
		to, at, end := t.Bytes[t.Offsets[i]:], from.Offsets[id], from.Offsets[id+1]
		if text := from.Bytes[at:]; end-at <= wide && len(text) >= wide {
			*(*[wide]byte)(to) = [wide]byte(text)
		} else {
			copy(to, text[:end-at])
		}
	}
	t.Bytes = t.Bytes[:size]
	return textData(&t)
}

// source adds the columns that say where each row came from.
func (c *arrowColumns) source(at source, s *decode.Origin) {
	fixed(c, "known", s.Known)
	c.constant("_topic", at.Topic)
	c.constant("_epoch", at.Epoch)
	partition := make([]int32, c.rows)
	for i := range partition {
		partition[i] = int32(at.Partition)
	}
	fixed(c, "_partition", partition)
	fixed(c, "_offset", s.Offset)
}

func predictionsRecord(at source, p *decode.Predictions) arrow.Record {
	c := columnsOf(plumbline.TablePredictions, p.Len())
	c.names("model", &p.Model)
	c.names("deploy_hash", &p.Deploy)
	c.names("stage", &p.Stage)
	c.text("prediction_id", &p.ID)
	fixed(c, "ts", p.TS)
	c.mapping("numbers", &p.Numbers, &p.Features, floatData(p.NumberValues))
	c.mapping("categories", &p.Categories, &p.Features, texts(p.CategoryValues, &p.Values))
	c.list("nulls", p.Nulls.Offsets, dictData(c.typeOf("nulls").(*arrow.ListType).Elem(), p.Nulls.Keys, &p.Features))
	c.mapping("segments", &p.Segments, &p.SegmentKeys, texts(p.SegmentValues, &p.SegmentTexts))
	c.floats("score", &p.Score)
	c.names("predicted", &p.Predicted)
	c.floats("predicted_value", &p.PredictedValue)
	c.floats("latency_ms", &p.Latency)
	c.names("status", &p.Status)
	c.names("half", &p.Half)
	fixed(c, "weight", p.Weight)
	c.floats("propensity", &p.Propensity)
	for name, f := range map[string]*decode.Floats{"disagreement": &p.Disagreement, "explained": &p.Explained} {
		f.Fill(p.Len())
		c.floats(name, f)
	}
	c.source(at, &p.Source)
	return c.record()
}

func labelsRecord(at source, l *decode.Labels) arrow.Record {
	c := columnsOf(plumbline.TableLabels, l.Len())
	c.names("model", &l.Model)
	c.text("prediction_id", &l.ID)
	fixed(c, "ts", l.TS)
	c.names("label", &l.Class)
	c.floats("label_value", &l.Value)
	fixed(c, "deleted", l.Deleted)
	c.source(at, &l.Source)
	return c.record()
}

func kpisRecord(at source, k *decode.KPIs) arrow.Record {
	c := columnsOf(plumbline.TableKPIs, k.Len())
	c.names("model", &k.Model)
	c.names("name", &k.Name)
	c.names("segment", &k.Segment)
	fixed(c, "ts", k.TS)
	fixed(c, "value", k.Value)
	c.source(at, &k.Source)
	return c.record()
}

func deploymentsRecord(at source, d *decode.Deployments) arrow.Record {
	c := columnsOf(plumbline.TableDeployments, d.Len())
	c.names("model", &d.Model)
	c.names("deploy_hash", &d.Deploy)
	c.names("stage", &d.Stage)
	fixed(c, "ts", d.TS)
	c.text("version", &d.Version)
	c.text("by", &d.By)
	c.text("commit", &d.Commit)
	c.text("dataset_hash", &d.DatasetHash)
	c.text("feature_job", &d.FeatureJob)
	c.text("note", &d.Note)
	c.source(at, &d.Source)
	return c.record()
}
