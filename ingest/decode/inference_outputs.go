package decode

// response reads one row of the outputs.
func (d *inference) response(e *prediction, list []tensor, row int) *Error {
	o := d.source.Outputs
	if o.Score == "" && o.Predicted == "" {
		for i := range list {
			if err := d.byType(e, &list[i], row); err != nil {
				return err
			}
		}
		return nil
	}
	if err := output(o.Score, e, list, row, d.score); err != nil {
		return err
	}
	return output(o.Predicted, e, list, row, d.predicted)
}

// output reads the outputs of a name, which must be there if the source has it.
func output(name string, e *prediction, list []tensor, row int, read func(*prediction, *tensor, int) *Error) *Error {
	found := name == ""
	for i := range list {
		if name != "" && string(list[i].name) == name {
			found = true
			if err := read(e, &list[i], row); err != nil {
				return err
			}
		}
	}
	if !found {
		return bad(MissingField, "the response has no output of this name, which outputs of the source names").at(name)
	}
	return nil
}

// byType decides what an output means by its type; of several outputs of one
// meaning the first counts.
func (d *inference) byType(e *prediction, t *tensor, row int) *Error {
	cells := t.row(row)
	if len(cells) == 0 {
		return nil
	}
	switch first := cells[0]; {
	case first.kind == isNumber && len(cells) == 1 && len(t.datatype) == 0:
		return bad(MissingField, "nothing says what this number is, as the V1 protocol has no types; set outputs of the source, such as {score: predictions} or {predicted: predictions}").at(string(t.name))
	case first.kind == isString || len(cells) == 1 && isInteger(string(t.datatype)):
		if e.predicted == nil && !e.hasValue {
			return d.predicted(e, t, row)
		}
	case !e.hasScore:
		return d.score(e, t, row)
	}
	return nil
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
