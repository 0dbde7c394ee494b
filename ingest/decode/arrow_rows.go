package decode

// arrowEvents decodes labels, deployments or KPIs. They are few and narrow, so they go
// row by row through the checks and columns that JSON's use.
type arrowEvents struct {
	arrowRows
	into  Columns
	tally *Tally
	// take checks a row and appends it.
	take func(row int, f *arrowFields, rec Record) *Error
}

func newArrowLabels(source Source, into *Labels) *arrowEvents {
	return &arrowEvents{
		arrowRows: newArrowRows(KindLabels, source, into.limits), into: Columns{Labels: into}, tally: &into.Tally,
		take: func(row int, f *arrowFields, rec Record) *Error {
			e, err := f.label(row)
			if err == nil {
				err = into.end(&e, rec)
			}
			return err
		},
	}
}

func newArrowDeployments(source Source, into *Deployments) *arrowEvents {
	return &arrowEvents{
		arrowRows: newArrowRows(KindDeployments, source, into.limits), into: Columns{Deployments: into}, tally: &into.Tally,
		take: func(row int, f *arrowFields, rec Record) *Error {
			e, err := f.deployment(row)
			if err == nil {
				err = into.end(&e, rec)
			}
			return err
		},
	}
}

func newArrowKPIs(source Source, into *KPIs) *arrowEvents {
	return &arrowEvents{
		arrowRows: newArrowRows(KindKPIs, source, into.limits), into: Columns{KPIs: into}, tally: &into.Tally,
		take: func(row int, f *arrowFields, rec Record) *Error {
			e, err := f.kpi(row)
			if err == nil {
				err = into.end(&e, rec)
			}
			return err
		},
	}
}

// verify verifies a record, appends its good rows and finds the bad ones; of a
// record without rows it reports false.
func (a *arrowEvents) verify(rec Record) (bool, *Error) {
	some, err := a.start(rec)
	if !some {
		return false, err
	}
	for i := range a.reader.batches[:a.reader.count] {
		b := &a.reader.batches[i]
		f := arrowFields{plan: a.reader.plan, source: a.source, b: b}
		for row := range b.rows {
			if err := a.take(row, &f, rec); err != nil {
				a.faults.add(b.first+row, err)
			}
		}
	}
	return true, nil
}

// Append decodes the events of a record. Its error is an *Error if all are
// refused, *Refusals if some are.
func (a *arrowEvents) Append(rec Record) error {
	return a.whole(a.into, func() error {
		switch some, err := a.verify(rec); {
		case err != nil:
			return err
		case !some:
			a.tally.Skipped++
			return nil
		}
		return a.finish(rec, a.tally)
	})
}

// finish returns what is to be said of a record of which some rows are stored.
func (a *arrowRows) finish(rec Record, tally *Tally) error {
	if err := a.all(rec); err != nil {
		return err
	}
	tally.Unknown += a.reader.plan.unknown
	return a.refusals()
}

// arrowFields reads the fields of one row at a time.
type arrowFields struct {
	plan   *arrowPlan
	source Source
	b      *arrowBatch
}

// text returns a field of text; nil if it is absent or null.
func (f *arrowFields) text(role arrowRole, row, max int) ([]byte, *Error) {
	c := f.plan.one[role]
	if c < 0 || !f.plan.columns[c].kind.text() {
		return nil, nil
	}
	text, _ := f.b.vectors[c].text(row)
	if err := (textRule{max: max}).check(text, false); err != nil {
		return nil, err.at(f.plan.columns[c].name)
	}
	return text, nil
}

// time returns the event time.
func (f *arrowFields) time(row int) (ts int64, ok bool) {
	v := &f.b.vectors[f.plan.one[roleTS]]
	if v.isNull(row) {
		return 0, false
	}
	one := arrowVector{data: v.data[8*row : 8*row+8]}
	var ms [1]int64
	one.milliseconds(ms[:], f.plan.perSecond)
	return ms[0], true
}

func (f *arrowFields) label(row int) (e label, err *Error) {
	if e.id, err = f.text(roleID, row, maxName); err != nil {
		return e, err
	}
	if e.model, err = f.text(roleModel, row, maxName); err != nil {
		return e, err
	}
	e.model = orElse(e.model, []byte(f.source.Model))
	e.ts, e.hasTS = f.time(row)
	e.hasLabel = true
	c := f.plan.one[roleLabel]
	v := &f.b.vectors[c]
	switch kind := f.plan.columns[c].kind; {
	case v.isNull(row):
	case kind == arrowBool:
		e.class = v.word(row)
	case kind.integer() && rounded(v.float(row)):
		err = bad(BadValue, wholeHint).at("label")
	case kind.number():
		e.value, e.hasValue = v.float(row), true
	default:
		e.class, err = f.text(roleLabel, row, maxName)
	}
	return e, err
}

func (f *arrowFields) deployment(row int) (e deployment, err *Error) {
	if e.model, err = f.text(roleModel, row, maxName); err != nil {
		return e, err
	}
	if e.deploy, err = f.text(roleDeploy, row, maxName); err != nil {
		return e, err
	}
	if e.stage, err = f.text(roleStage, row, maxName); err != nil {
		return e, err
	}
	if e.stage != nil {
		if err = checkStage(e.stage); err != nil {
			return e, err.at("stage")
		}
	}
	for i := range e.texts {
		if e.texts[i], err = f.text(roleVersion+arrowRole(i), row, maxEntries); err != nil {
			return e, err
		}
	}
	e.model, e.deploy = orElse(e.model, []byte(f.source.Model)), orElse(e.deploy, []byte(f.source.Deploy))
	e.stage = orElse(e.stage, []byte(f.source.Stage))
	e.ts, e.hasTS = f.time(row)
	return e, nil
}

func (f *arrowFields) kpi(row int) (e kpi, err *Error) {
	if e.model, err = f.text(roleModel, row, maxName); err != nil {
		return e, err
	}
	if e.name, err = f.text(roleName, row, maxName); err != nil {
		return e, err
	}
	if e.segment, err = f.text(roleOf, row, maxName); err != nil {
		return e, err
	}
	e.model = orElse(e.model, []byte(f.source.Model))
	e.ts, e.hasTS = f.time(row)
	if v := &f.b.vectors[f.plan.one[roleValue]]; !v.isNull(row) {
		e.value, e.hasValue = v.float(row), true
	}
	return e, nil
}

// doubts appends the disagreement of the rows: as it was sent, else that of the
// members' columns.
func (a *arrowPredictions) doubts(b *arrowBatch, from, to int) {
	plan, p := a.reader.plan, a.Predictions
	column, row := plan.one[roleDisagreement], len(p.TS)-(to-from)
	if len(plan.votes) == 0 && len(plan.grades) == 0 {
		if column >= 0 || len(p.Disagreement.Values) > 0 {
			p.Disagreement.Fill(row)
			p.Disagreement.appendRows(b, column, from, to)
		}
		return
	}
	for i := from; i < to; i++ {
		if column >= 0 && !b.vectors[column].isNull(i) {
			p.Disagreement.Put(row+i-from, b.vectors[column].float(i), true)
			continue
		}
		a.members(b, i)
		v, ok := p.ensemble.disagreement()
		p.Disagreement.Put(row+i-from, v, ok)
	}
}

// members collects what the ensemble of a row answered. A number that voted is
// written into memory of its own: the next one uses the same digits.
func (a *arrowPredictions) members(b *arrowBatch, row int) {
	m := &a.ensemble
	m.reset()
	for _, c := range a.reader.plan.votes {
		v := &b.vectors[c]
		if text, ok := a.textOf(v, row); ok && bit(v.parent, row) {
			if v.kind.number() && v.index == nil {
				from := len(m.digits)
				m.digits = append(m.digits, text...)
				text = m.digits[from:]
			}
			m.votes = append(m.votes, text)
		}
	}
	for _, c := range a.reader.plan.grades {
		if v := &b.vectors[c]; !v.isNull(row) && bit(v.parent, row) {
			m.scores = append(m.scores, v.float(row))
		}
	}
}

// putTruths puts rows of booleans behind so many others, or nothing if there is
// no column of them.
func (f *Floats) putTruths(b *arrowBatch, column, from, to, behind int) {
	some := column >= 0 && b.vectors[column].kind == arrowBool
	if !some && len(f.Values) == 0 {
		return
	}
	for i := from; i < to; i++ {
		v, ok := 0.0, some && !b.vectors[column].isNull(i)
		if ok {
			v = share(b.vectors[column].bool(i))
		}
		f.Put(behind+i-from, v, ok)
	}
}
