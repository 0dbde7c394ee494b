package decode

// arrowEvents decodes labels or deployments. They are few and narrow, so they go
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
