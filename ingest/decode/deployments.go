package decode

// Deployments are decoded deployment events as columns. Use NewDeployments.
type Deployments struct {
	limits Limits

	Model, Deploy, Stage                               Names
	TS                                                 []int64 // when the deploy began to serve, Unix milliseconds
	Version, By, Commit, DatasetHash, FeatureJob, Note Text
	Source                                             Origin
	Tally
}

// NewDeployments returns empty columns.
func NewDeployments(limits Limits) *Deployments { return &Deployments{limits: limits} }

// Len returns the number of rows.
func (d *Deployments) Len() int { return len(d.TS) }

// Reset empties the columns and keeps their memory.
func (d *Deployments) Reset() {
	d.Model.Reset()
	d.Deploy.Reset()
	d.Stage.Reset()
	d.TS = d.TS[:0]
	for _, t := range d.texts() {
		t.Truncate(0)
	}
	d.Source.Reset()
	d.Tally = Tally{}
}

// texts returns the plain text columns in the order of deploymentTexts.
func (d *Deployments) texts() [6]*Text {
	return [6]*Text{&d.Version, &d.By, &d.Commit, &d.DatasetHash, &d.FeatureJob, &d.Note}
}

type deployment struct {
	fields               uint32
	model, deploy, stage []byte
	texts                [6][]byte
	ts                   int64
	hasTS                bool
	unknown              int
}

// end checks and commits one deployment.
func (d *Deployments) end(e *deployment, rec Record) *Error {
	if err := e.check(d.limits, rec.Known); err != nil {
		return err
	}
	d.Model.Append(e.model)
	d.Deploy.Append(e.deploy)
	d.Stage.Append(orElse(e.stage, wordProduction))
	d.TS = append(d.TS, e.ts)
	for i, t := range d.texts() {
		t.Append(e.texts[i])
	}
	d.Source.append(rec)
	d.Unknown += e.unknown
	return nil
}

func (e *deployment) check(l Limits, known int64) *Error {
	switch {
	case len(e.model) == 0:
		return &Error{MissingField, "model", "send the model's name"}
	case len(e.deploy) == 0:
		return &Error{MissingField, "deploy_hash", "send the hash that predictions of this deploy carry"}
	case !e.hasTS:
		return &Error{MissingField, "ts", timeHint}
	}
	return l.checkTime(e.ts, known)
}
