package decode

// Columns are what the events of one topic are decoded into; a kind that the
// topic does not hold is nil.
type Columns struct {
	Predictions *Predictions
	Labels      *Labels
	Deployments *Deployments
	KPIs        *KPIs
}

// Len returns the number of rows of every kind.
func (c Columns) Len() (n int) {
	// Ingest asks once an event: no loop.
	if c.Predictions != nil {
		n += c.Predictions.Len()
	}
	if c.Labels != nil {
		n += c.Labels.Len()
	}
	if c.Deployments != nil {
		n += c.Deployments.Len()
	}
	if c.KPIs != nil {
		n += c.KPIs.Len()
	}
	return n
}

// Reset empties the columns and keeps their memory.
func (c Columns) Reset() {
	if c.Predictions != nil {
		c.Predictions.Reset()
	}
	if c.Labels != nil {
		c.Labels.Reset()
	}
	if c.Deployments != nil {
		c.Deployments.Reset()
	}
	if c.KPIs != nil {
		c.KPIs.Reset()
	}
}

// Tally is what was met beside the rows of every kind.
func (c Columns) Tally() (sum Tally) {
	for _, t := range c.tallies() {
		if t != nil {
			sum.Unknown, sum.Skipped = sum.Unknown+t.Unknown, sum.Skipped+t.Skipped
		}
	}
	return sum
}

// skip counts a record that holds no event of ours.
func (c Columns) skip() {
	for _, t := range c.tallies() {
		if t != nil {
			t.Skipped++
			return
		}
	}
}

func (c Columns) tallies() (all [4]*Tally) {
	if c.Predictions != nil {
		all[0] = &c.Predictions.Tally
	}
	if c.Labels != nil {
		all[1] = &c.Labels.Tally
	}
	if c.Deployments != nil {
		all[2] = &c.Deployments.Tally
	}
	if c.KPIs != nil {
		all[3] = &c.KPIs.Tally
	}
	return all
}

// limits are those of the kind that comes first.
func (c Columns) limits() *Limits {
	switch {
	case c.Predictions != nil:
		return &c.Predictions.limits
	case c.Labels != nil:
		return &c.Labels.limits
	case c.Deployments != nil:
		return &c.Deployments.limits
	case c.KPIs != nil:
		return &c.KPIs.limits
	}
	return &Limits{}
}
