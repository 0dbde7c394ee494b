package decode

// doubt reads what the file says of the ensemble and of the explanation.
func (d *mapping) doubt(s *section, e *prediction) (err *Error) {
	t, m := d.t, &d.into.Predictions.ensemble
	if e.disagreement, e.hasDisagreement, err = t.measured(d.at(&s.disagreement)); err != nil {
		return err
	}
	err = d.members(&s.votes, votesHint, func(r ref) *Error {
		class, v, number, err := t.class(r)
		switch {
		case err != nil:
			return err
		case number:
			m.number(v)
		case class != nil:
			m.votes = append(m.votes, class)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = d.members(&s.grades, scoresHint, func(r ref) *Error {
		v, ok, err := t.measured(r)
		if ok {
			m.scores = append(m.scores, v)
		}
		return err
	})
	if err != nil {
		return err
	}
	switch r := d.at(&s.explained); t.kind(r) {
	case isTrue, isFalse:
		e.explained, e.hasExplained = share(t.kind(r) == isTrue), true
	case isNothing, isNull:
	default:
		return t.mistyped(r, explainedHint)
	}
	// Where the file names an explanation, its absence is an answer.
	if s.explanation.pointed {
		e.explanation, e.hasExplanation = share(t.holds(d.at(&s.explanation))), true
	}
	return nil
}

// members reads a list, of which null and nothing are none.
func (d *mapping) members(at *mapped, hint string, member func(ref) *Error) *Error {
	t := d.t
	r := d.at(at)
	if !t.there(r) {
		return nil
	}
	if t.kind(r) != isArray {
		return t.mistyped(r, hint)
	}
	if t.size(r) > maxMembers {
		return t.fail(r, TooManyFeatures, hint)
	}
	for v := t.first(r); v != 0; v = t.next(v) {
		if err := member(v); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether there is anything in a value, as hollow does not.
func (t *tree) holds(r ref) bool {
	switch t.kind(r) {
	case isNothing, isNull, isFalse:
		return false
	case isString:
		return len(t.text(r)) > 0
	case isObject, isArray:
		return t.size(r) > 0
	}
	return true
}

func (d *mapping) kpi(s *section, e *kpi, rec Record) (err *Error) {
	if e.model, err = d.name(&s.model, d.model, "model"); err != nil {
		return err
	}
	if e.name, err = d.name(&s.name, nil, "name"); err != nil {
		return err
	}
	if e.segment, err = d.name(&s.of, nil, ""); err != nil {
		return err
	}
	if e.ts, err = d.instant(&s.ts, rec); err != nil {
		return err
	}
	e.hasTS = true
	e.value, e.hasValue, err = d.t.measured(d.at(&s.value))
	return err
}
