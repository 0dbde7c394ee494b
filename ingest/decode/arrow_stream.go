package decode

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Bounds of one record, beside Limits.MaxBytes. They hold before memory is
// taken, whatever the metadata claims.
const (
	// maxArrowRows is the largest number of events of one record.
	maxArrowRows = 65_536
	// maxArrowValues is the largest number of dictionary values of one record.
	maxArrowValues = 262_144
	// plainRatio bounds the bytes of a record's decompressed buffers, in units of
	// Limits.MaxBytes, and cellRatio the features and segments of all its rows:
	// a column of nulls, or a compressed one, is much in few bytes.
	plainRatio = 16
	cellRatio  = 4
	// textRatio bounds the texts of all its rows, likewise: of rows that share a
	// dictionary's value or a view each is one. It leaves them as many bytes as the
	// numbers that may stand in their place. maxArrowText bounds them whatever the
	// limits, as the texts of a batch must fit a column with offsets of 32 bits.
	textRatio    = 32
	maxArrowText = 512 << 20
)

// arrowReader reads the stream of one record: it verifies everything that it
// uses, and leaves the columns that are read as vectors over the record's bytes.
// Nothing that was not verified is looked at later.
type arrowReader struct {
	kind   Kind
	source Source
	limits Limits
	// most bounds the cells of a record, plain the bytes of its decompressed
	// buffers, mostText the texts of all its rows and of its dictionaries.
	most, plain, mostText int

	plans   []*arrowPlan // the last few, since topics have several producers
	oldest  int
	plan    *arrowPlan
	batches []arrowBatch
	count   int // of batches
	rows    int
	values  []*arrowValues // of the plan's dictionaries, as of the last message
	pool    []*arrowValues
	pooled  int // of pool, those that this record uses

	cells, dictionaryValues int // so far
	dictionaryText          int // bytes, so far
	text                    int // of all columns, at most
	memory                  arrowMemory
	body                    arrowBody
	message                 flat
	scratch                 arrowVector
}

// maxArrowPlans is how many schemas of a topic are remembered.
const maxArrowPlans = 8

// arrowBatch is one record batch.
type arrowBatch struct {
	first, rows int
	vectors     []arrowVector // by arrowPlan.columns
}

// arrowValues are the values of a dictionary. A null is nil.
type arrowValues struct {
	texts [][]byte
	// names says that each value is clean and of 1 to maxName bytes, so that rows
	// need no look; texts that each is clean, of any length.
	names, clean bool
	nulls        bool // any is null
	longest      int  // of texts, in bytes
}

// Identifiers of Arrow's Message.fbs, as in arrow_schema.go.
const (
	headerSchema, headerDictionary, headerBatch = 1, 2, 3

	version4, version5 = 3, 4

	versionOfMessage, headerTypeOfMessage, headerOfMessage, bodyLengthOfMessage = 0, 1, 2, 3

	continuation = 0xFFFFFFFF
)

const cutStream = "the Arrow stream is cut; send a whole IPC stream a record"

// read reads a record's value. After an error nothing of it may be used.
func (r *arrowReader) read(value []byte) *Error {
	r.count, r.rows, r.cells, r.dictionaryValues, r.pooled, r.plan = 0, 0, 0, 0, 0, nil
	r.dictionaryText, r.text = 0, 0
	r.memory.reset(r.plain)
	if bytes.HasPrefix(value, []byte("ARROW1")) {
		return bad(Unparsable, "this is an Arrow file; send an IPC stream (pyarrow.ipc.new_stream)")
	}
	for len(value) > 0 {
		rest, err := r.next(value)
		if err != nil {
			return err
		}
		value = rest
	}
	if r.plan == nil {
		return bad(Unparsable, cutStream)
	}
	return r.weighTexts()
}

// next reads one message and returns what follows it, nothing after the mark of
// the stream's end.
func (r *arrowReader) next(b []byte) (rest []byte, err *Error) {
	if len(b) < 8 {
		return nil, bad(Unparsable, cutStream)
	}
	if binary.LittleEndian.Uint32(b) != continuation {
		return nil, bad(Unparsable, "the value is no Arrow IPC stream")
	}
	size := int(int32(binary.LittleEndian.Uint32(b[4:])))
	b = b[8:]
	if size == 0 {
		if len(b) > 0 {
			return nil, bad(Unparsable, "something follows the end of the Arrow stream; send one stream a record")
		}
		return nil, nil
	}
	if size < 0 || size > len(b) {
		return nil, bad(Unparsable, cutStream)
	}
	metadata := b[:size]
	b = b[size:]
	r.message = flat{b: metadata}
	message := r.message.root()
	version := message.number(versionOfMessage, 2)
	headerType := message.number(headerTypeOfMessage, 1)
	header, ok := message.table(headerOfMessage)
	length := message.number(bodyLengthOfMessage, 8)
	switch {
	case r.message.broken || !ok:
		return nil, bad(Unparsable, brokenMetadata)
	case version != version4 && version != version5:
		return nil, bad(Unparsable, "the Arrow stream has an old format; send metadata version 4 or 5 (Arrow 0.8 and later)")
	case length < 0 || length > int64(len(b)):
		return nil, bad(Unparsable, cutStream)
	}
	return b[length:], r.take(headerType, header, metadata, b[:length])
}

// take reads the header and body of a message.
func (r *arrowReader) take(headerType int64, header flatTable, metadata, body []byte) *Error {
	if (headerType == headerSchema) != (r.plan == nil) {
		return bad(Unparsable, "an Arrow stream begins with a schema and has no other")
	}
	var err *Error
	switch headerType {
	case headerSchema:
		return r.schema(header, metadata)
	case headerDictionary:
		err = r.dictionary(header, body)
	case headerBatch:
		err = r.batch(header, body)
	default:
		return bad(Unparsable, "send record batches: the Arrow stream holds a tensor")
	}
	if err == nil && r.message.broken {
		err = bad(Unparsable, brokenMetadata)
	}
	return err
}

// schema finds the plan of a schema, or compiles it.
func (r *arrowReader) schema(header flatTable, metadata []byte) *Error {
	for _, p := range r.plans {
		if bytes.Equal(p.schema, metadata) {
			r.use(p)
			return nil
		}
	}
	fields, dictionaries, err := parseSchema(header, r.limits)
	if err != nil {
		return err
	}
	p, err := compileArrow(fields, dictionaries, r.kind, r.source, r.limits)
	if err != nil {
		return err
	}
	p.schema = bytes.Clone(metadata)
	if len(r.plans) < maxArrowPlans {
		r.plans = append(r.plans, p)
	} else {
		r.plans[r.oldest] = p
		r.oldest = (r.oldest + 1) % maxArrowPlans
	}
	r.use(p)
	return nil
}

func (r *arrowReader) use(p *arrowPlan) {
	r.plan = p
	r.values = r.values[:0]
	for range p.dictionaries {
		r.values = append(r.values, nil)
	}
}

// dictionary reads a dictionary batch, which sets the values of a dictionary, or
// adds to them.
func (r *arrowReader) dictionary(header flatTable, body []byte) *Error {
	id := header.number(0, 8)
	data, ok := header.table(1)
	place := -1
	for i := range r.plan.dictionaries {
		if r.plan.dictionaries[i].id == id {
			place = i
		}
	}
	if place < 0 || !ok {
		return bad(Unparsable, "the Arrow stream has a dictionary that its schema does not name")
	}
	if !r.plan.dictionaries[place].used {
		return nil
	}
	rows, err := r.body.open(data, body)
	if err != nil {
		return err
	}
	if r.dictionaryValues += rows; r.dictionaryValues > maxArrowValues {
		return bad(TooLarge, "the dictionaries of the record have more than 262,144 values; send smaller batches, or plain text")
	}
	v := &r.scratch
	if err := r.leaf(v, &r.plan.dictionaries[place].values, rows); err != nil {
		return err
	}
	if err := r.body.done(); err != nil {
		return err
	}
	if r.dictionaryText += v.size; r.dictionaryText > r.mostText {
		return tooMuchText(r.mostText)
	}
	next := r.newValues()
	if before := r.values[place]; before != nil && header.flag(2) {
		delta := *before
		next = &delta // not one of the pool, whose memory it may share
	}
	for i := range rows {
		text, ok := v.text(i)
		if !ok {
			text, next.nulls = nil, true
		}
		good := !ok || clean(text)
		next.clean = next.clean && good
		next.names = next.names && good && ok && len(text) > 0 && len(text) <= maxName
		next.longest = max(next.longest, len(text))
		next.texts = append(next.texts, text)
	}
	r.values[place] = next
	return nil
}

// newValues returns an empty dictionary from the pool.
func (r *arrowReader) newValues() *arrowValues {
	if r.pooled == len(r.pool) {
		r.pool = append(r.pool, &arrowValues{})
	}
	v := r.pool[r.pooled]
	r.pooled++
	v.texts, v.names, v.clean, v.nulls, v.longest = v.texts[:0], true, true, false, 0
	return v
}

// batch reads a record batch.
func (r *arrowReader) batch(header flatTable, body []byte) *Error {
	rows, err := r.body.open(header, body)
	if err != nil {
		return err
	}
	if r.rows+rows > maxArrowRows {
		return bad(TooLarge, "the record has more than 65,536 rows; send them in several records")
	}
	if err := r.spend(rows, len(r.plan.features)+len(r.plan.segments)); err != nil {
		return err
	}
	if r.count == len(r.batches) {
		r.batches = append(r.batches, arrowBatch{})
	}
	b := &r.batches[r.count]
	b.first, b.rows = r.rows, rows
	for len(b.vectors) < len(r.plan.columns) {
		b.vectors = append(b.vectors, arrowVector{})
	}
	b.vectors = b.vectors[:len(r.plan.columns)]
	for i := range r.plan.fields {
		if err := r.load(b, &r.plan.fields[i], rows, nil); err != nil {
			return err.at(short(r.plan.fields[i].name))
		}
	}
	r.count++
	r.rows += rows
	return r.body.done()
}

// spend counts features and segments before they become memory.
func (r *arrowReader) spend(rows, columns int) *Error {
	if columns > 0 && rows > (math.MaxInt32-r.cells)/columns {
		r.cells = math.MaxInt32
	} else {
		r.cells += rows * columns
	}
	if r.cells > r.most {
		return bad(TooLarge, "the record has too many features in all its rows; send fewer rows a record")
	}
	return nil
}
