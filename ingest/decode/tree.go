package decode

import (
	"hash/maphash"
	"strconv"
	"unsafe"
)

// tree is a JSON document in memory, for shapes whose fields cannot be read in
// one pass. It is as strict as the scanner under it: a key that stands twice,
// nesting deeper than 16 and bad text are refused. It reuses its memory, so that
// it allocates nothing once that has grown; texts are views into the documents
// and the tree, valid until the next root. Use newTree.
type tree struct {
	scan  scanner
	nodes []node
	max   int
	seed  maphash.Seed
	// depth is how deep values may nest.
	depth int
	// slots find members by their object and name; those of an older
	// generation are free.
	slots      []memberSlot
	generation uint32
	digits     []byte // of the last class that was a number
}

// ref is a value of a tree. The zero ref is no value: it is what get and find
// return for what is not there, and every method takes it.
type ref int32

type valueKind uint8

const (
	isNothing valueKind = iota // not there
	isNull
	isFalse
	isTrue
	isNumber
	isString
	isObject
	isArray
)

type node struct {
	kind                valueKind
	parent, first, next ref
	last                ref // of an object or array, as are first and size
	size                int32
	place               int32 // among the values of the parent, from 0
	number              float64
	// text is a string without its escapes; of every other value, what is
	// written in the document.
	text []byte
	key  []byte // the name of a member
}

type memberSlot struct {
	generation uint32
	member     ref
}

// keptNodes is how many nodes a tree keeps memory for after a rare large
// document.
const keptNodes = 1 << 16

// newTree returns an empty tree for documents within the limits. It holds at
// most one value for every four bytes of the largest event, in all documents
// together.
func newTree(limits Limits) *tree {
	return &tree{max: limits.MaxBytes/4 + 64, depth: maxDepth, seed: maphash.MakeSeed()}
}

// root forgets everything and reads a document.
func (t *tree) root(document []byte) (ref, *Error) {
	if cap(t.nodes) > keptNodes {
		t.nodes, t.slots, t.generation = nil, nil, 0
	}
	t.nodes = append(t.nodes[:0], node{}) // what the zero ref stands for
	t.scan.reset(document)
	t.generation++
	if t.generation == 0 { // it has wrapped: the slots of old look new
		clear(t.slots)
		t.generation = 1
	}
	root, err := t.document(0)
	if err != nil && isFramed(document) {
		err = noObject(document)
	}
	return root, err
}

// sub reads the text of a string value as a document of its own, into the same
// tree. Its fields are named below that value's.
func (t *tree) sub(at ref) (ref, *Error) { return t.within(at, t.nodes[at].text) }

// within reads a document that a value stands for, such as decoded base64, into
// the same tree.
func (t *tree) within(at ref, document []byte) (ref, *Error) {
	// The scratch stays: texts of the documents before point into it.
	t.scan.b, t.scan.i = document, 0
	root, err := t.document(at)
	if err != nil {
		return 0, err.at(t.path(at))
	}
	return root, nil
}

// lines reads JSON lines: an array of the documents, one a line.
func (t *tree) lines(at ref, documents []byte) (ref, *Error) {
	t.scan.b, t.scan.i = documents, 0
	all := t.graft(at, node{kind: isArray, text: documents})
	for t.scan.space(); t.scan.i < len(documents); t.scan.space() {
		id, err := t.value(all, nil, 1)
		if err != nil {
			return 0, err.at(t.pathOf(all, nil))
		}
		t.hang(id)
	}
	return all, nil
}

func (t *tree) document(parent ref) (ref, *Error) {
	if t.scan.space(); t.scan.i == len(t.scan.b) {
		return 0, bad(Unparsable, "there is no JSON value")
	}
	root, err := t.value(parent, nil, 0)
	if err == nil {
		err = t.scan.end()
	}
	return root, err
}

// value reads any value.
func (t *tree) value(parent ref, key []byte, depth int) (ref, *Error) {
	switch {
	case depth > t.depth:
		return 0, bad(TooNested, "flatten the event: values nest deeper than "+strconv.Itoa(t.depth))
	case len(t.nodes) > t.max:
		return 0, bad(TooLarge, "the event holds too many JSON values; send fewer rows a record, or raise max_event_bytes")
	}
	s := &t.scan
	c, from := s.space(), s.i
	id := ref(len(t.nodes))
	n := node{parent: parent, key: key, place: t.nodes[parent].size}
	var err *Error
	switch c {
	case '{', '[':
		n.kind = isArray
		if c == '{' {
			n.kind = isObject
		}
		t.nodes = append(t.nodes, n)
		err = t.members(id, depth)
		t.nodes[id].text = s.b[from:s.i]
		return id, err
	case '"':
		n.kind = isString
		n.text, err = s.text()
		t.nodes = append(t.nodes, n)
		return id, err
	case 't':
		n.kind, err = isTrue, s.word("true")
	case 'f':
		n.kind, err = isFalse, s.word("false")
	case 'n':
		n.kind, err = isNull, s.word("null")
	default:
		n.kind = isNumber
		n.number, err = s.number()
	}
	n.text = s.b[from:s.i]
	t.nodes = append(t.nodes, n)
	return id, err
}

// members reads what an object or array holds.
func (t *tree) members(parent ref, depth int) *Error {
	s := &t.scan
	closing := byte(']')
	keyed := t.nodes[parent].kind == isObject
	if keyed {
		closing = '}'
	}
	for more := s.open(closing); more; {
		var key []byte
		var err *Error
		if keyed {
			if key, err = s.key(); err != nil {
				return err
			}
		}
		id, err := t.value(parent, key, depth+1)
		if err != nil {
			// A value that was not read has no node to name the field by.
			return err.at(t.pathOf(parent, key))
		}
		if keyed && !t.enter(parent, id, key) {
			return (&Error{Reason: DuplicateKey, Hint: "send each key once"}).at(t.path(id))
		}
		t.hang(id)
		if more, err = s.more(closing); err != nil {
			return err
		}
	}
	return nil
}

// hang makes a value the last one that its parent holds.
func (t *tree) hang(id ref) {
	p := &t.nodes[t.nodes[id].parent]
	if p.size == 0 {
		p.first = id
	} else {
		t.nodes[p.last].next = id
	}
	p.last = id
	p.size++
}

// enter notes a member under its name and reports whether the name is new.
func (t *tree) enter(parent, member ref, key []byte) bool {
	if len(t.slots) < 2*len(t.nodes) {
		t.widen()
	}
	at, found := t.look(parent, unsafe.String(unsafe.SliceData(key), len(key)))
	if found == 0 {
		t.slots[at] = memberSlot{t.generation, member}
	}
	return found == 0
}

// look returns the slot of a name and the member there, or a free slot and 0.
func (t *tree) look(parent ref, key string) (at uint64, member ref) {
	mask := uint64(len(t.slots) - 1)
	at = (maphash.String(t.seed, key) + uint64(parent)*0x9e3779b97f4a7c15) & mask
	for t.slots[at].generation == t.generation {
		id := t.slots[at].member
		if n := &t.nodes[id]; n.parent == parent && string(n.key) == key {
			return at, id
		}
		at = (at + 1) & mask
	}
	return at, 0
}

func (t *tree) widen() {
	old := t.slots
	t.slots = make([]memberSlot, max(64, 4*len(old)))
	for _, s := range old {
		if s.generation == t.generation {
			n := &t.nodes[s.member]
			at, _ := t.look(n.parent, unsafe.String(unsafe.SliceData(n.key), len(n.key)))
			t.slots[at] = s
		}
	}
}

// get returns the member of an object by its name.
func (t *tree) get(object ref, key string) ref {
	if t.nodes[object].kind != isObject || t.nodes[object].size == 0 {
		return 0
	}
	_, member := t.look(object, key)
	return member
}

// either returns the first member of an object that is there, and neither null
// nor an empty string, of two names: vendors rename their fields.
func (t *tree) either(object ref, key, otherwise string) ref {
	if r := t.get(object, key); t.there(r) && (t.kind(r) != isString || len(t.text(r)) > 0) {
		return r
	}
	return t.get(object, otherwise)
}

// index returns the i-th element of an array.
func (t *tree) index(array ref, i int) ref {
	if t.nodes[array].kind != isArray || i < 0 || i >= int(t.nodes[array].size) {
		return 0
	}
	r := t.nodes[array].first
	for ; i > 0; i-- {
		r = t.nodes[r].next
	}
	return r
}

// first returns the first member or element, and next the one after r:
//
//	for r := t.first(object); r != 0; r = t.next(r) {
func (t *tree) first(r ref) ref { return t.nodes[r].first }

func (t *tree) next(r ref) ref { return t.nodes[r].next }

func (t *tree) kind(r ref) valueKind { return t.nodes[r].kind }

// size is the number of members or elements.
func (t *tree) size(r ref) int { return int(t.nodes[r].size) }

// key is the name of a member; nil of everything else.
func (t *tree) key(r ref) []byte { return t.nodes[r].key }

// text is a string without its escapes; of another value, what is written.
func (t *tree) text(r ref) []byte { return t.nodes[r].text }

// there reports whether a value is there and not null.
func (t *tree) there(r ref) bool { return t.nodes[r].kind > isNull }
