package decode

import "fmt"

// meanings are the places of the outputs that are the score and what was
// predicted; -1 is none.
type meanings struct{ score, predicted int }

// means finds which outputs mean what: those that the source names, else by their
// types. It serves all rows of a response.
func (d *inference) means(list []tensor) (m meanings, err *Error) {
	o := d.source.Outputs
	if o.Score == "" && o.Predicted == "" {
		return d.byType(list)
	}
	if m.score, err = named(o.Score, list); err == nil {
		m.predicted, err = named(o.Predicted, list)
	}
	return m, err
}

// named finds the output of a name, which must be there, once, if the source has
// it.
func named(name string, list []tensor) (int, *Error) {
	at := -1
	for i := range list {
		switch {
		case name == "" || string(list[i].name) != name:
		case at >= 0:
			return at, bad(DuplicateKey, "the response has several outputs of this name, which outputs of the source names; name each once").at(name)
		default:
			at = i
		}
	}
	if at < 0 && name != "" {
		return at, bad(MissingField, "the response has no output of this name, which outputs of the source names").at(name)
	}
	return at, nil
}

// response reads one row of the outputs.
func (d *inference) response(e *prediction, list []tensor, m meanings, row int) *Error {
	if m.score >= 0 {
		if err := d.score(e, &list[m.score], row); err != nil {
			return err
		}
	}
	if m.predicted >= 0 {
		return d.predicted(e, &list[m.predicted], row)
	}
	return nil
}

// byType decides what the outputs mean by their types. Where several could mean
// the same, only the source can say which.
func (d *inference) byType(list []tensor) (m meanings, err *Error) {
	m = meanings{-1, -1}
	scores, classes := 0, 0
	for i := range list {
		switch is, err := d.meaning(&list[i]); {
		case err != nil:
			return m, err
		case is == isScore:
			if scores++; scores == 1 {
				m.score = i
			}
		case is == isPredicted:
			if classes++; classes == 1 {
				m.predicted = i
			}
		}
	}
	if scores > 1 || classes > 1 {
		err = d.ambiguous(list, scores, classes)
	}
	return m, err
}

// meaning is what an output can be by its type.
type meaning uint8

const (
	isNeither meaning = iota
	isScore
	isPredicted
)

// meaning decides by the datatype, or where there is none by all of the values: a
// null has no type, and may be a class that the model did not answer.
func (d *inference) meaning(t *tensor) (meaning, *Error) {
	if t.width == 0 {
		return isNeither, nil
	}
	texts, numbers := false, false
	switch of, _ := datatypeOf(t.datatype); of.family {
	case floating:
		return isScore, nil
	case boolean, plainBytes:
		return isPredicted, nil
	case wholeNumber:
		switch {
		case t.width == 1:
			return isPredicted, nil
		case d.source.Outputs.ScoreColumn != nil:
			return isScore, nil
		}
		return isNeither, bad(BadValue, "nothing says what several whole numbers are; name those outputs that count in outputs of the source, and in score_column which of the numbers is the score if one is").at(string(t.name))
	}
	for i := range t.cells {
		texts = texts || t.cells[i].kind == isString
		numbers = numbers || t.cells[i].kind == isNumber
	}
	switch {
	case numbers && t.width == 1:
		return isNeither, bad(MissingField, fmt.Sprintf("nothing says what this number is, as the V1 protocol has no types; set outputs of the source, such as {score: %.64[1]s} or {predicted: %.64[1]s}", t.name)).at(string(t.name))
	case texts || t.width == 1:
		return isPredicted, nil
	}
	return isScore, nil
}

// maxNamed is how many outputs an error names.
const maxNamed = 8

// ambiguous refuses a response of which several outputs could mean the same.
func (d *inference) ambiguous(list []tensor, scores, classes int) *Error {
	say := func(want meaning) (names string) {
		n := 0
		for i := range list {
			if is, _ := d.meaning(&list[i]); is != want {
				continue
			}
			switch n++; {
			case n > maxNamed:
				return names + " and others"
			case n > 1:
				names += ", "
			}
			names += fmt.Sprintf("%.64q", list[i].name)
		}
		return names
	}
	hint := "each could be "
	switch {
	case scores > 1 && classes > 1:
		hint += "the score (" + say(isScore) + "), or what was predicted (" + say(isPredicted) + ")"
	case scores > 1:
		hint += "the score: " + say(isScore)
	default:
		hint += "what was predicted: " + say(isPredicted)
	}
	return bad(BadValue, hint+"; name those that count in outputs of the source, as score and predicted; the others are not read then").at("outputs")
}

// isInteger reports whether a datatype of the Open Inference Protocol is one of
// whole numbers.
func isInteger(datatype string) bool {
	switch datatype {
	case "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64":
		return true
	}
	return false
}

func (d *inference) score(e *prediction, t *tensor, row int) *Error {
	cells := t.row(row)
	column := len(cells) - 1
	if d.source.Outputs.ScoreColumn != nil && *d.source.Outputs.ScoreColumn >= 0 {
		column = *d.source.Outputs.ScoreColumn
	}
	if column < 0 || column >= len(cells) {
		return bad(BadValue, "outputs.score_column lies beyond the output's columns").at(string(t.name))
	}
	switch c := cells[column]; c.kind {
	case isNumber:
		e.score, e.hasScore = c.number, true
	case isString:
		return bad(WrongType, "the output that is the score must hold numbers").at(string(t.name))
	}
	return nil
}

func (d *inference) predicted(e *prediction, t *tensor, row int) *Error {
	cells := t.row(row)
	if len(cells) != 1 {
		return bad(BadValue, "the output that is the prediction must hold one value a row").at(string(t.name))
	}
	switch c := cells[0]; {
	case c.kind == isString && len(c.text) > maxName:
		return bad(BadValue, "the text is longer than 256 bytes").at(string(t.name))
	case c.kind == isString:
		e.predicted = c.text
	case c.kind == isNumber && (isInteger(string(t.datatype)) || d.source.Classes && finite(c.number)) && rounded(c.number):
		return bad(BadValue, wholeHint).at(string(t.name))
	case c.kind == isNumber && d.source.Classes && finite(c.number): // NaN names no class
		d.class = className(d.class[:0], c.number)
		e.predicted = d.class
	case c.kind == isNumber:
		e.value, e.hasValue = c.number, true
	}
	return nil
}
