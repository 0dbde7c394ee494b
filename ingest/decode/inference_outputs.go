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
	found := false
	for i := range list {
		name := string(list[i].name)
		if name == o.Score {
			found = true
			if err := d.score(e, &list[i], row); err != nil {
				return err
			}
		}
		if name == o.Predicted {
			found = true
			if err := d.predicted(e, &list[i], row); err != nil {
				return err
			}
		}
	}
	if !found {
		return bad(MissingField, "the response has none of the outputs that outputs.score and outputs.predicted name").at("outputs")
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
	case c.kind == isNumber:
		e.value, e.hasValue = c.number, true
	}
	return nil
}
