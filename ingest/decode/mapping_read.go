package decode

import "slices"

// mapping decodes any JSON by a mapping file.
type mapping struct {
	several
	sayings
	t        *tree
	sections []*section
	root     ref
	row      ref
}

// Append decodes one record, by every section of the file. A tombstone, which
// change data capture writes for each row that is deleted, is no event of ours.
func (d *mapping) Append(rec Record) error {
	if rec.Value == nil {
		d.into.skip()
		return nil
	}
	return d.run(rec, d.record)
}

func (d *mapping) record(rec Record) (err *Error) {
	if d.root, err = d.t.root(rec.Value); err != nil {
		return err
	}
	read := 0
	for _, s := range d.sections {
		events, err := d.section(rec, s)
		if err != nil {
			return err
		}
		if events > 0 {
			read++
		}
	}
	switch {
	case read == 0:
		d.into.skip()
	case read > 1 && len(d.refused) > 0:
		// A row sent again would be read by the section that took it, too.
		return d.refused[0].Error
	}
	return nil
}

// section reads the rows of one kind and returns how many events it found.
func (d *mapping) section(rec Record, s *section) (events int, err *Error) {
	t := d.t
	d.row = d.root
	if (!s.rows.pointed || s.when.absolute) && !d.selected(s) {
		return 0, nil
	}
	if !s.rows.pointed {
		d.one(rec, s, 0, 0, 1)
		return 1, nil
	}
	rows := t.find(d.root, s.rows.at)
	if t.kind(rows) != isArray {
		return 0, bad(MissingField, "the mapping's rows pointer "+s.rows.text+" leads to no array").at("rows")
	}
	n := t.size(rows)
	i := 0
	for r := t.first(rows); r != 0; r = t.next(r) {
		if d.row = r; d.selected(s) {
			d.one(rec, s, rows, i, n)
			events++
		}
		i++
	}
	return events, nil
}

// selected reports whether the row is an event of the section's kind.
func (d *mapping) selected(s *section) bool {
	return !s.when.pointed || slices.Contains(s.is, text(d.t.text(d.at(&s.when))))
}

// one appends one event, or refuses it.
func (d *mapping) one(rec Record, s *section, rows ref, i, n int) {
	var err *Error
	switch s.kind {
	case KindPredictions:
		p := d.into.Predictions
		m := p.begin()
		var e prediction
		if err = d.prediction(s, &e, rec, i, n); err == nil {
			err = p.end(&e, rec)
		}
		if err != nil {
			p.rollback(m)
		}
	case KindLabels:
		var e label
		if err = d.label(s, &e, rec, i, n); err == nil {
			err = d.into.Labels.end(&e, rec)
		}
	case KindDeployments:
		var e deployment
		if err = d.deployment(s, &e, rec); err == nil {
			err = d.into.Deployments.end(&e, rec)
		}
	case KindKPIs:
		var e kpi
		if err = d.kpi(s, &e, rec); err == nil {
			err = d.into.KPIs.end(&e, rec)
		}
	}
	if err == nil {
		d.taken++
		return
	}
	row := d.row
	d.refuse(rec, i, err, func(int) []byte { return d.alone(rec, s, rows, row, i, n) })
}

// at follows a field's pointer from the row, or from the record.
func (d *mapping) at(m *mapped) ref {
	switch {
	case !m.pointed:
		return 0
	case m.absolute:
		return d.t.find(d.root, m.at)
	}
	return d.t.find(d.row, m.at)
}

// name reads a field that is a name; otherwise stands where the file has none.
func (d *mapping) name(m *mapped, otherwise []byte, field string) ([]byte, *Error) {
	switch {
	case m.constant != nil:
		return m.constant, nil
	case !m.pointed:
		return otherwise, nil
	}
	b, err := d.t.label(d.at(m))
	if err == nil && len(b) == 0 && field != "" {
		err = bad(MissingField, "the mapping's pointer "+m.text+" leads to nothing").at(field)
	}
	return b, err
}

// identity reads the identifier. One of the record, and not of the row, is
// followed by the number of the row.
func (d *mapping) identity(s *section, i, n int) ([]byte, *Error) {
	id, err := d.name(&s.id, nil, "prediction_id")
	if err != nil || !s.id.absolute || !s.rows.pointed {
		return id, err
	}
	return d.numbered(id, i, n)
}

func (d *mapping) prediction(s *section, e *prediction, rec Record, i, n int) (err *Error) {
	if e.id, err = d.identity(s, i, n); err != nil {
		return err
	}
	if e.model, err = d.name(&s.model, d.model, "model"); err != nil {
		return err
	}
	if e.deploy, err = d.name(&s.deploy, d.deploy, "deploy_hash"); err != nil {
		return err
	}
	if e.stage, err = d.stageOf(&s.stage); err != nil {
		return err
	}
	if e.ts, err = d.instant(&s.ts, rec); err != nil {
		return err
	}
	e.hasTS = true
	if e.score, e.hasScore, err = d.t.measured(d.at(&s.score)); err != nil {
		return err
	}
	if e.predicted, e.value, e.hasValue, err = d.t.classOf(d.at(&s.predicted), s.predicted.classes); err != nil {
		return err
	}
	if e.latency, e.hasLatency, err = d.measured(&s.latency); err != nil {
		return err
	}
	e.latency *= perUnit(s.latency.unit)
	if e.status, err = d.name(&s.status, nil, ""); err != nil {
		return err
	}
	if e.weight, e.hasWeight, err = d.weight(&s.weight); err != nil {
		return err
	}
	if e.propensity, e.hasPropensity, err = d.propensity(&s.propensity); err != nil {
		return err
	}
	if err = d.doubt(s, e); err != nil {
		return err
	}
	if err = d.features(s, e); err != nil {
		return err
	}
	return d.segments(s)
}

func (d *mapping) label(s *section, e *label, rec Record, i, n int) (err *Error) {
	if e.id, err = d.identity(s, i, n); err != nil {
		return err
	}
	if e.model, err = d.name(&s.model, d.model, "model"); err != nil {
		return err
	}
	if e.ts, err = d.instant(&s.ts, rec); err != nil {
		return err
	}
	e.hasTS = true
	// null withdraws a label, nothing is a mistake.
	if d.at(&s.label) == 0 {
		return bad(MissingField, "the mapping's pointer "+s.label.text+" leads to nothing").at("label")
	}
	e.hasLabel = true
	e.class, e.value, e.hasValue, err = d.t.classOf(d.at(&s.label), s.label.classes)
	return err
}

func (d *mapping) deployment(s *section, e *deployment, rec Record) (err *Error) {
	if e.model, err = d.name(&s.model, d.model, "model"); err != nil {
		return err
	}
	if e.deploy, err = d.name(&s.deploy, d.deploy, "deploy_hash"); err != nil {
		return err
	}
	if e.stage, err = d.stageOf(&s.stage); err != nil {
		return err
	}
	if e.ts, err = d.instant(&s.ts, rec); err != nil {
		return err
	}
	e.hasTS = true
	for i := range s.texts {
		m := &s.texts[i]
		if m.constant != nil {
			e.texts[i] = m.constant
		} else if e.texts[i], err = d.t.plainText(d.at(m)); err != nil {
			return err
		}
	}
	return nil
}

// stageOf reads a stage of the domain; absent is the source's, or production.
func (d *mapping) stageOf(m *mapped) ([]byte, *Error) {
	b, err := d.name(m, d.stage, "")
	if err != nil || b == nil || len(b) == 0 && !m.pointed {
		return nil, err
	}
	if err := checkStage(b); err != nil {
		return nil, err.at("stage")
	}
	return b, nil
}

// measured reads a number, or the constant.
func (d *mapping) measured(m *mapped) (float64, bool, *Error) {
	if m.constant != nil {
		v, _, _ := decimalNumber(m.constant) // parsed when the file was read
		return v, true, nil
	}
	return d.t.measured(d.at(m))
}

func (d *mapping) weight(m *mapped) (float64, bool, *Error) {
	v, ok, err := d.measured(m)
	if err != nil || !ok {
		return 0, false, err
	}
	if m.unit == "share" {
		v = 1 / v
	}
	if !isWeight(v) {
		return 0, false, bad(BadValue, weightHint).at("weight")
	}
	return v, true, nil
}

func (d *mapping) propensity(m *mapped) (float64, bool, *Error) {
	v, ok, err := d.measured(m)
	if err == nil && ok && !isPropensity(v) {
		return 0, false, bad(BadValue, propensityHint).at("propensity")
	}
	return v, ok, err
}

// features adds what the file names: the members of an object, single values,
// and the elements of arrays.
func (d *mapping) features(s *section, e *prediction) *Error {
	t, p := d.t, d.into.Predictions
	object := d.at(&s.all)
	if s.all.pointed && t.there(object) {
		if err := t.object(object, "send an object of features, as the mapping says"); err != nil {
			return err
		}
	}
	n := len(s.features)
	for m := t.first(object); m != 0; m = t.next(m) {
		if slices.Contains(s.without, text(t.key(m))) {
			continue
		}
		if n++; n > p.limits.MaxFeatures {
			break
		}
		if err := d.feature(s, e, t.key(m), m); err != nil {
			return err
		}
	}
	for i := range s.features {
		if err := d.single(s, e, &s.features[i]); err != nil {
			return err
		}
	}
	for i := range s.arrays {
		if n += len(s.arrays[i].names); n > p.limits.MaxFeatures {
			break
		}
		if err := d.array(s, e, &s.arrays[i]); err != nil {
			return err
		}
	}
	if n > p.limits.MaxFeatures {
		return bad(TooManyFeatures, "send fewer features, or raise max_features").at("features")
	}
	return nil
}

// array adds the elements of an array.
func (d *mapping) array(s *section, e *prediction, a *namedField) *Error {
	t := d.t
	r := d.at(&a.mapped)
	if !t.there(r) {
		return nil
	}
	if t.kind(r) != isArray || t.size(r) != len(a.names) {
		return t.fail(r, BadValue, "send an array with one value for each of the mapping's names")
	}
	i := 0
	for v := t.first(r); v != 0; v = t.next(v) {
		if err := d.feature(s, e, a.names[i], v); err != nil {
			return err
		}
		i++
	}
	return nil
}

// single adds a feature with a pointer of its own.
func (d *mapping) single(s *section, e *prediction, f *namedField) *Error {
	if f.constant == nil {
		if r := d.at(&f.mapped); r != 0 {
			return d.feature(s, e, f.name, r)
		}
		return nil
	}
	p := d.into.Predictions
	id, err := p.feature(f.name)
	if err != nil {
		return err.at("features." + string(f.name))
	}
	p.category(id, f.constant)
	return nil
}

func (d *mapping) feature(s *section, e *prediction, name []byte, r ref) *Error {
	if k := d.t.kind(r); k == isObject || k == isArray {
		return nested(d.t, e, r, s.nested)
	}
	return d.into.Predictions.treeFeature(d.t, name, r)
}

func (d *mapping) segments(s *section) *Error {
	p := d.into.Predictions
	if len(s.segments) > maxSegments {
		return bad(TooManyFeatures, "map at most 64 segments").at("segments")
	}
	for i := range s.segments {
		f := &s.segments[i]
		value, err := d.name(&f.mapped, nil, "")
		if err != nil {
			return err
		}
		if len(value) == 0 {
			continue
		}
		id, err := p.segmentID(f.name)
		if err != nil {
			return err.at("segments." + string(f.name))
		}
		p.slice(id, value)
	}
	return nil
}

// alone writes the record with one row of its rows; an identifier of the record
// gets the row's number, which is then taken as it is.
func (d *mapping) alone(rec Record, s *section, rows, row ref, i, n int) []byte {
	if rows == 0 {
		return slices.Clone(rec.Value)
	}
	t := d.t
	w := treeWriter{t: t}
	w.replace(rows, func(w *treeWriter) {
		w.byte('[')
		w.value(row)
		w.byte(']')
	})
	if s.id.pointed && s.id.absolute {
		at := d.at(&s.id)
		if id, err := d.numbered(t.text(at), i, n); err == nil && at != 0 {
			id := slices.Clone(id)
			w.replace(at, func(w *treeWriter) { w.text(id) })
		}
	}
	w.value(d.root)
	return w.out
}
