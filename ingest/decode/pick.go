package decode

// Pick appends row i of from. It serves batches whose rows must be put in
// another order or stored in part, which is rare, so it interns names again
// rather than share dictionaries.
func (p *Predictions) Pick(from *Predictions, i int) {
	p.Model.Append(from.Model.At(i))
	p.Deploy.Append(from.Deploy.At(i))
	p.Stage.Append(from.Stage.At(i))
	p.Predicted.Append(from.Predicted.At(i))
	p.Status.Append(from.Status.At(i))
	p.Half.Append(from.Half.At(i))
	p.ID.Append(from.ID.At(i))
	p.TS = append(p.TS, from.TS[i])
	p.Score.Append(from.Score.At(i))
	p.PredictedValue.Append(from.PredictedValue.At(i))
	p.Latency.Append(from.Latency.At(i))
	p.Weight = append(p.Weight, from.Weight[i])
	p.Propensity.Append(from.Propensity.At(i))
	doubt, ensemble := from.Disagreement.At(i)
	p.Disagreement.Put(len(p.TS)-1, doubt, ensemble)
	explained, said := from.Explained.At(i)
	p.Explained.Put(len(p.TS)-1, explained, said)
	p.Source.pick(&from.Source, i)
	first, last := from.Numbers.Row(i)
	for k := first; k < last; k++ {
		p.Numbers.Keys = append(p.Numbers.Keys, p.Features.ID(from.Features.Value(from.Numbers.Keys[k])))
		p.NumberValues = append(p.NumberValues, from.NumberValues[k])
	}
	first, last = from.Categories.Row(i)
	for k := first; k < last; k++ {
		p.Categories.Keys = append(p.Categories.Keys, p.Features.ID(from.Features.Value(from.Categories.Keys[k])))
		p.CategoryValues = append(p.CategoryValues, p.Values.ID(from.Values.Value(from.CategoryValues[k])))
	}
	first, last = from.Nulls.Row(i)
	for k := first; k < last; k++ {
		p.Nulls.Keys = append(p.Nulls.Keys, p.Features.ID(from.Features.Value(from.Nulls.Keys[k])))
	}
	first, last = from.Segments.Row(i)
	for k := first; k < last; k++ {
		p.Segments.Keys = append(p.Segments.Keys, p.SegmentKeys.ID(from.SegmentKeys.Value(from.Segments.Keys[k])))
		p.SegmentValues = append(p.SegmentValues, p.SegmentTexts.ID(from.SegmentTexts.Value(from.SegmentValues[k])))
	}
	p.Numbers.close()
	p.Categories.close()
	p.Nulls.close()
	p.Segments.close()
}

// Pick appends row i of from.
func (l *Labels) Pick(from *Labels, i int) { l.PickAs(from, i, from.ID.At(i)) }

// Pick appends row i of from.
func (d *Deployments) Pick(from *Deployments, i int) {
	d.Model.Append(from.Model.At(i))
	d.Deploy.Append(from.Deploy.At(i))
	d.Stage.Append(from.Stage.At(i))
	d.TS = append(d.TS, from.TS[i])
	source := from.texts()
	for k, t := range d.texts() {
		t.Append(source[k].At(i))
	}
	d.Source.pick(&from.Source, i)
}

// PickAs appends row i of from under another prediction_id.
func (l *Labels) PickAs(from *Labels, i int, id []byte) {
	l.Model.Append(from.Model.At(i))
	l.ID.Append(id)
	l.TS = append(l.TS, from.TS[i])
	l.Class.Append(from.Class.At(i))
	l.Value.Append(from.Value.At(i))
	l.Deleted = append(l.Deleted, from.Deleted[i])
	l.Source.pick(&from.Source, i)
}
