package decode

import "fmt"

// answers are what a model answered, one for each row.
type answers struct {
	n         int
	list, one ref // an array of answers, or a single one; or none
	now, next ref // the answer that was read last, and the one after it in list
	// alone says that it is taken for a single one although nobody knows how many
	// rows were sent, nor was told where the answers stand.
	alone bool
}

// answered finds the answers in the body of a response, for rows of which there
// are as many, or for -1 if nobody knows how many. They stand where the source
// says.
func (b *tabular) answered(body ref, rows int) *Error {
	if b.at == nil {
		return b.replies(body, rows)
	}
	at := b.t.find(body, b.at)
	if at == 0 {
		b.out = answers{}
		return b.t.fail(body, MissingField, "the source's answers pointer "+b.options.Answers+" leads nowhere here")
	}
	return b.counted(at, rows)
}

// replies finds the answers without being told where: it knows the members
// predictions and outputs; else the body is the answers itself.
func (b *tabular) replies(body ref, rows int) *Error {
	t := b.t
	if t.kind(body) == isObject {
		for _, name := range [...]string{"predictions", "outputs"} {
			if r := t.get(body, name); t.there(r) {
				body = r
				break
			}
		}
	}
	err := b.counted(body, rows)
	b.out.alone = rows < 0 && b.out.one != 0
	return err
}

// counted takes the answers, of which there must be one a row.
func (b *tabular) counted(body ref, rows int) *Error {
	t := b.t
	b.out = answers{}
	switch {
	case !t.there(body):
		return nil
	case t.kind(body) != isArray, rows == 1 && t.size(body) != 1:
		b.out.n, b.out.one = 1, body
	case !b.lists && t.size(body) == 1 && rows > 1 && t.size(t.first(body)) == rows && t.kind(t.first(body)) == isArray:
		// XGBoost's containers answer a batch in one line of CSV.
		body = t.first(body)
		fallthrough
	default:
		b.out.n, b.out.list, b.out.next = t.size(body), body, t.first(body)
	}
	if rows >= 0 && b.out.n != rows {
		return t.fail(body, BadValue, fmt.Sprintf("%d answers for %d rows", b.out.n, rows))
	}
	return nil
}

// answer reads the next answer into the prediction under way.
func (b *tabular) answer(e *prediction) *Error {
	b.out.now = b.out.one
	if b.out.list != 0 {
		b.out.now = b.out.next
		b.out.next = b.t.next(b.out.now)
	}
	if b.out.now == 0 {
		return nil
	}
	return b.read(e, b.out.now)
}

// sentRow writes the body of a request with the row that was read last.
func (b *tabular) sentRow(w *treeWriter) {
	t := b.t
	switch {
	case b.in.columns != 0:
		w.out = append(w.out, `{"inputs":{`...)
		i := 0
		for c := t.first(b.in.columns); c != 0; c = t.next(c) {
			w.member(string(t.key(c)))
			w.byte('[')
			w.value(b.in.values[i])
			w.byte(']')
			i++
		}
		w.out = append(w.out, "}}"...)
	case b.in.names != 0:
		w.out = append(w.out, `{"dataframe_split":{"columns":`...)
		w.value(b.in.names)
		w.out = append(w.out, `,"data":[`...)
		w.value(b.in.now)
		w.out = append(w.out, "]}}"...)
	default:
		w.out = append(w.out, `{"instances":[`...)
		w.value(b.in.now)
		w.out = append(w.out, "]}"...)
	}
}

// answerRow writes the body of a response with the answer that was read last.
func (b *tabular) answerRow(w *treeWriter) {
	if b.at == nil {
		w.out = append(w.out, `{"predictions":[`...)
		w.value(b.out.now)
		w.out = append(w.out, "]}"...)
		return
	}
	// A pointer's index finds a member of its name as well.
	for i := range b.at {
		w.byte('{')
		w.member(b.at[i].name)
	}
	w.byte('[')
	w.value(b.out.now)
	w.byte(']')
	for range b.at {
		w.byte('}')
	}
}

// The members of an answer that are read without being told to.
func scoreNames() [2]string { return [...]string{"score", "probability"} }
func predictedNames() [4]string {
	return [...]string{"predicted_label", "predicted", "prediction", "label"}
}

func (b *tabular) read(e *prediction, r ref) *Error {
	if b.score != nil || b.predicted != nil {
		return b.pointed(e, r)
	}
	t := b.t
	for (t.kind(r) == isArray || t.kind(r) == isObject) && t.size(r) == 1 && !b.known(r) {
		r = t.first(r)
	}
	switch t.kind(r) {
	case isNumber:
		if b.options.Output == "predicted" {
			return b.guess(e, r)
		}
		e.score, e.hasScore = t.nodes[r].number, true
		return nil
	case isObject:
		return b.members(e, r)
	case isArray:
		if t.kind(t.first(r)) == isObject {
			return t.fail(r, WrongType, "say where the answers stand: set answers of the source to the pointer of the array that has one a row, such as /scores")
		}
		return t.fail(r, WrongType, "say which element is the score: set score or predicted of the source to a pointer such as /1")
	}
	return b.guess(e, r)
}

// known reports whether an object has a well-known member.
func (b *tabular) known(r ref) bool {
	for _, name := range scoreNames() {
		if b.t.get(r, name) != 0 {
			return true
		}
	}
	for _, name := range predictedNames() {
		if b.t.get(r, name) != 0 {
			return true
		}
	}
	return false
}

func (b *tabular) members(e *prediction, r ref) (err *Error) {
	t := b.t
	if !b.known(r) {
		return t.fail(r, MissingField, "no member is known: set score or predicted of the source to a pointer such as /probability")
	}
	for _, name := range scoreNames() {
		if m := t.get(r, name); m != 0 {
			if e.score, e.hasScore, err = t.measured(m); err != nil {
				return err
			}
			break
		}
	}
	for _, name := range predictedNames() {
		if m := t.get(r, name); m != 0 {
			return b.guess(e, m)
		}
	}
	return nil
}

// pointed reads score and predicted where the source says they stand.
func (b *tabular) pointed(e *prediction, r ref) (err *Error) {
	t := b.t
	if b.score != nil {
		at, err := b.follow(r, b.score, b.options.Score)
		if err != nil {
			return err
		}
		if at == 0 {
			return t.fail(r, MissingField, "the source's score pointer "+b.options.Score+" leads nowhere here")
		}
		if e.score, e.hasScore, err = t.measured(at); err != nil {
			return err
		}
	}
	if b.predicted != nil {
		at, err := b.follow(r, b.predicted, b.options.Predicted)
		if err != nil {
			return err
		}
		if at == 0 {
			return t.fail(r, MissingField, "the source's predicted pointer "+b.options.Predicted+" leads nowhere here")
		}
		return b.guess(e, at)
	}
	return nil
}

// follow follows a pointer into an answer. One that reads a single element of
// several that may be the answers of so many rows would lose the others.
func (b *tabular) follow(r ref, p pointer, written string) (ref, *Error) {
	t := b.t
	for i := range p {
		if k := t.kind(t.first(r)); b.out.alone && t.kind(r) == isArray && t.size(r) > 1 && (k == isObject || k == isArray) {
			return 0, t.fail(r, BadValue, fmt.Sprintf("%s reads one of %d elements, which may be the answers of as many rows; set answers of the source to the pointer of this array, or to that of the one element that is the answer, and let score and predicted point from there", written, t.size(r)))
		}
		r = t.find(r, p[i:i+1])
	}
	return r, nil
}

// guess reads what was predicted: a class or a number.
func (b *tabular) guess(e *prediction, r ref) (err *Error) {
	e.predicted, e.value, e.hasValue, err = b.t.classOf(r, b.options.Classes)
	return err
}
