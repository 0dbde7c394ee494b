package decode

// Deployments are decoded deployment events as columns. Use NewDeployments.
type Deployments struct {
	limits Limits
	scan   scanner

	Model, Deploy, Stage                               Names
	TS                                                 []int64 // when the deploy began to serve, Unix milliseconds
	Version, By, Commit, DatasetHash, FeatureJob, Note Text
	Source                                             Source
	// Unknown counts top-level fields that the schema does not know.
	Unknown int
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
	d.Unknown = 0
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

// Append decodes one event. On an error, which is an *Error, the columns are
// as they were.
func (d *Deployments) Append(rec Record) error {
	if err := d.limits.start(rec); err != nil {
		return err
	}
	var e deployment
	if err := d.read(&e, rec); err != nil {
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

func (d *Deployments) read(e *deployment, rec Record) *Error {
	s := &d.scan
	s.reset(rec.Value)
	if s.space() != '{' {
		return bad(Unparsable, "send one JSON object a record")
	}
	more := s.open('}')
	for more {
		key, err := s.key()
		if err == nil {
			if err = e.field(s, key); err != nil {
				err = err.at(string(key))
			}
		}
		if err == nil {
			more, err = s.more('}')
		}
		if err != nil {
			return err
		}
	}
	if err := s.end(); err != nil {
		return err
	}
	return e.check(d.limits, rec.Known)
}

func (e *deployment) field(s *scanner, key []byte) (err *Error) {
	var bit int
	switch string(key) {
	case "model":
		bit = 8
		e.model, err = s.name()
	case "deploy_hash":
		bit = 9
		e.deploy, err = s.name()
	case "stage":
		bit = 10
		e.stage, err = s.stage()
	case "ts":
		bit = 11
		e.ts, err = s.instant()
		e.hasTS = err == nil
	case "version":
		bit = 0
	case "by":
		bit = 1
	case "commit":
		bit = 2
	case "dataset_hash":
		bit = 3
	case "feature_job":
		bit = 4
	case "note":
		bit = 5
	default:
		e.unknown++
		return s.skip(0)
	}
	if bit < len(e.texts) {
		e.texts[bit], err = s.plainText()
	}
	if err == nil && e.fields&(1<<bit) != 0 {
		err = bad(DuplicateKey, "send each key once")
	}
	e.fields |= 1 << bit
	return err
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
