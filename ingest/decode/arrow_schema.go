package decode

import "fmt"

// arrowKind is how a column lies in memory, as far as it is read.
type arrowKind uint8

const (
	arrowOpaque arrowKind = iota // of a type that is not read
	arrowNull
	arrowBool
	arrowInt8
	arrowInt16
	arrowInt32
	arrowInt64
	arrowUint8
	arrowUint16
	arrowUint32
	arrowUint64
	arrowFloat16
	arrowFloat32
	arrowFloat64
	arrowTime // int64 since 1970 in a unit, with a zone
	arrowText
	arrowLargeText
	arrowTextView
	arrowStruct
	arrowMap
)

// number reports whether the values are numbers.
func (k arrowKind) number() bool { return k >= arrowInt8 && k <= arrowFloat64 }

func (k arrowKind) integer() bool { return k >= arrowInt8 && k <= arrowUint64 }

func (k arrowKind) text() bool { return k >= arrowText && k <= arrowTextView }

// width is the size of a value in bytes; 0 if values have none of their own.
func (k arrowKind) width() int {
	switch k {
	case arrowInt8, arrowUint8:
		return 1
	case arrowInt16, arrowUint16, arrowFloat16:
		return 2
	case arrowInt32, arrowUint32, arrowFloat32:
		return 4
	case arrowInt64, arrowUint64, arrowFloat64, arrowTime:
		return 8
	}
	return 0
}

// arrowField is a field of a schema.
type arrowField struct {
	name string
	kind arrowKind
	// buffers is the number of the field's own buffers, without its children's;
	// views says that it has further ones, whose number stands in each batch.
	buffers int
	views   bool
	// perSecond is the unit of arrowTime.
	perSecond int64
	// naive says that a timestamp has no zone, so nobody knows which instant it is.
	naive bool
	// dictionary is the place in arrowPlan.dictionaries of the values that kind
	// is an index to, -1 if there is none.
	dictionary int
	children   []arrowField
	// column is the place in arrowPlan.columns, -1 if the field is not read. A
	// struct or map of features has no column itself; read says that its
	// children have some.
	column int
	read   bool
}

// typeName names a field's type for people, roughly.
func (f *arrowField) typeName() string {
	switch {
	case f.dictionary >= 0:
		return "a dictionary"
	case f.kind == arrowBool:
		return "bool"
	case f.kind.number():
		return "a number"
	case f.kind == arrowTime:
		return "a timestamp"
	case f.kind.text():
		return "text"
	case f.kind == arrowStruct:
		return "a struct"
	case f.kind == arrowMap:
		return "a map"
	case f.kind == arrowNull:
		return "null"
	}
	return "of another type"
}

// arrowDictionary is a dictionary that the schema declares.
type arrowDictionary struct {
	id     int64
	values arrowField
	used   bool
}

// The identifiers of Arrow's Schema.fbs: of types in the union Type, and of
// fields in tables, in the order of their declaration.
const (
	typeNull          = 1
	typeInt           = 2
	typeFloat         = 3
	typeBinary        = 4
	typeUtf8          = 5
	typeBool          = 6
	typeTimestamp     = 10
	typeList          = 12
	typeStruct        = 13
	typeUnion         = 14
	typeFixedList     = 16
	typeMap           = 17
	typeLargeBinary   = 19
	typeLargeUtf8     = 20
	typeLargeList     = 21
	typeRunEnd        = 22
	typeBinaryView    = 23
	typeUtf8View      = 24
	typeListView      = 25
	typeLargeListView = 26

	fieldsOfSchema = 1

	nameOfField, typeTypeOfField, typeOfField, dictionaryOfField, childrenOfField = 0, 2, 3, 4, 5
)

// maxArrowDepth bounds how deep columns nest, and spareColumns how many there
// are beside features: ours, segments, and what is not read.
const (
	maxArrowDepth = 8
	spareColumns  = 512
)

// arrowSchema reads the schema message's tables.
type arrowSchema struct {
	flat         *flat
	left         int // fields that may still come
	dictionaries []arrowDictionary
	fault        *Error
}

// fields reads the fields of a vector.
func (s *arrowSchema) fields(at, n, depth int) []arrowField {
	if depth > maxArrowDepth {
		s.refuse(TooNested, "flatten the columns: they nest deeper than 8")
		return nil
	}
	if n > s.left {
		s.refuse(TooManyFeatures, "send fewer columns, or raise max_features")
		return nil
	}
	s.left -= n
	all := make([]arrowField, 0, n)
	for i := 0; i < n && s.fault == nil && !s.flat.broken; i++ {
		all = append(all, s.field(s.flat.element(at, i), depth))
	}
	return all
}

func (s *arrowSchema) refuse(reason Reason, hint string) {
	if s.fault == nil {
		s.fault = bad(reason, hint)
	}
}

func (s *arrowSchema) field(t flatTable, depth int) arrowField {
	f := arrowField{name: string(t.text(nameOfField)), dictionary: -1, column: -1}
	s.layout(&f, t, depth)
	encoding, ok := t.table(dictionaryOfField)
	if !ok {
		return f
	}
	index := arrowField{name: f.name, kind: arrowInt32, buffers: 2, column: -1}
	if integer, ok := encoding.table(1); ok {
		index.kind = intKind(integer)
	}
	if !index.kind.integer() {
		s.refuse(Unparsable, brokenMetadata)
	}
	id := encoding.number(0, 8)
	for i, d := range s.dictionaries {
		if d.id == id {
			index.dictionary = i
			return index
		}
	}
	index.dictionary = len(s.dictionaries)
	s.dictionaries = append(s.dictionaries, arrowDictionary{id: id, values: f})
	return index
}

func intKind(t flatTable) arrowKind {
	signed := t.flag(1)
	switch bits := t.number(0, 4); {
	case bits == 8 && signed:
		return arrowInt8
	case bits == 8:
		return arrowUint8
	case bits == 16 && signed:
		return arrowInt16
	case bits == 16:
		return arrowUint16
	case bits == 32 && signed:
		return arrowInt32
	case bits == 32:
		return arrowUint32
	case bits == 64 && signed:
		return arrowInt64
	case bits == 64:
		return arrowUint64
	}
	return arrowOpaque
}

// layout reads a field's type: what it means if it is read, and how many buffers
// belong to it in any case, by the table in Arrow's "Columnar Format".
func (s *arrowSchema) layout(f *arrowField, t flatTable, depth int) {
	kind := t.number(typeTypeOfField, 1)
	details, _ := t.table(typeOfField)
	at, n := t.vector(childrenOfField, 4)
	f.children = s.fields(at, n, depth+1)
	f.buffers = 2
	switch kind {
	case typeNull:
		f.kind, f.buffers = arrowNull, 0
	case typeInt:
		f.kind = intKind(details)
	case typeFloat:
		f.kind = [...]arrowKind{arrowFloat16, arrowFloat32, arrowFloat64, arrowOpaque}[details.number(0, 2)&3]
	case typeBool:
		f.kind = arrowBool
	case typeTimestamp:
		f.kind = arrowTime
		f.perSecond = [...]int64{1, 1e3, 1e6, 1e9}[details.number(0, 2)&3]
		f.naive = len(details.text(1)) == 0
	case typeUtf8, typeLargeUtf8:
		f.kind, f.buffers = arrowText, 3
		if kind == typeLargeUtf8 {
			f.kind = arrowLargeText
		}
	case typeUtf8View:
		f.kind, f.views = arrowTextView, true
	case typeBinaryView:
		f.views = true
	case typeBinary, typeLargeBinary, typeListView, typeLargeListView:
		f.buffers = 3
	case typeStruct:
		f.kind, f.buffers = arrowStruct, 1
	case typeFixedList:
		f.buffers = 1
	case typeMap:
		f.kind = arrowMap
	case typeRunEnd:
		f.buffers = 0
	case typeUnion:
		f.buffers = 1 + int(details.number(0, 2)&1) // a dense one has offsets
	case typeList, typeLargeList, 7, 8, 9, 11, 15, 18: // decimals, dates, times and such
	default:
		s.refuse(WrongType, fmt.Sprintf("column %.100q has a type that this version does not know; cast it", f.name))
	}
}

// parseSchema reads the header of a schema message.
func parseSchema(header flatTable, limits Limits) (fields []arrowField, dictionaries []arrowDictionary, err *Error) {
	if header.number(0, 2) != 0 {
		return nil, nil, bad(Unparsable, "the stream is big-endian; send little-endian")
	}
	s := arrowSchema{flat: header.f, left: limits.MaxFeatures + spareColumns}
	at, n := header.vector(fieldsOfSchema, 4)
	fields = s.fields(at, n, 0)
	if s.fault == nil && header.f.broken {
		s.refuse(Unparsable, brokenMetadata)
	}
	return fields, s.dictionaries, s.fault
}

const brokenMetadata = "the metadata of the Arrow stream is damaged"
