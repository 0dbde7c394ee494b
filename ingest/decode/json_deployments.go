package decode

// JSONDeployments decodes our own JSON deployment events. Use NewJSONDeployments.
type JSONDeployments struct {
	*Deployments
	scan  scanner
	event deployment // the one that is being read
}

// NewJSONDeployments returns a decoder into empty columns of its own.
func NewJSONDeployments(limits Limits) *JSONDeployments {
	return newJSONDeployments(NewDeployments(limits))
}

func newJSONDeployments(into *Deployments) *JSONDeployments {
	return &JSONDeployments{Deployments: into}
}

// Append decodes one event. On an error, which is an *Error, the columns are
// as they were.
func (d *JSONDeployments) Append(rec Record) error {
	if err := d.limits.start(rec); err != nil {
		return err
	}
	d.event = deployment{}
	if err := d.scan.members(rec.Value, &d.event); err != nil {
		return err
	}
	if err := d.end(&d.event, rec); err != nil {
		return err
	}
	return nil
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
