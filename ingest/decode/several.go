package decode

import (
	"strconv"
	"unsafe"
)

// maxRefusedEvents bounds the refused events of one record; of a record with more the
// whole is refused.
const maxRefusedEvents = 1000

// several appends the events of one record, of which some may be refused, to the
// columns. Decoders of shapes that carry several events a record embed it.
type several struct {
	into   Columns
	limits Limits
	// apart makes even a record of one event a refusal of its own bytes, for
	// shapes that leave texts out of what they give back.
	apart   bool
	refused []Refusal
	size    int // of the refusals' values, in bytes
	taken   int
	id      []byte
}

func newSeveral(into Columns) several { return several{into: into, limits: *into.limits()} }

// run reads a record. If read fails, or panics, the columns are as they were. So
// they are if none of the events was taken, or if the refused ones, each with what
// it shares with the others, would be out of proportion to the record.
func (s *several) run(rec Record, read func(Record) *Error) error {
	if err := s.limits.start(rec); err != nil {
		return err
	}
	s.refused, s.size, s.taken = nil, 0, 0
	before := s.into.save()
	good := false
	defer func() {
		if !good {
			s.into.restore(&before)
		}
	}()
	if err := read(rec); err != nil {
		return err
	}
	if len(s.refused) == 0 {
		good = true
		return nil
	}
	if s.full(rec) || s.taken == 0 && !s.apart {
		return wholly(s.refused[0].Error, len(s.refused))
	}
	good = true
	return &Refusals{Events: s.refused}
}

// refuse notes a refused event. alone writes the event as a record of its own.
func (s *several) refuse(rec Record, index int, err *Error, alone func(index int) []byte) {
	if s.full(rec) {
		return
	}
	r := Refusal{Error: err, Index: index, Value: alone(index)}
	s.size += len(r.Value)
	s.refused = append(s.refused, r)
}

func (s *several) full(rec Record) bool {
	return len(s.refused) > maxRefusedEvents || s.size > 4*len(rec.Value)+64<<10
}

// numbered returns the identifier of an event: the record's own if it carries
// one event, else followed by a slash and the place of the event. The bytes are
// valid until the next call.
func (s *several) numbered(id []byte, index, of int) ([]byte, *Error) {
	if len(id) == 0 {
		return nil, nil
	}
	s.id = append(s.id[:0], id...)
	if of > 1 {
		s.id = append(s.id, '/')
		s.id = strconv.AppendInt(s.id, int64(index), 10)
	}
	if len(s.id) > maxName {
		return nil, bad(BadValue, "the identifier, with the number of its row, is longer than 256 bytes")
	}
	return s.id, nil
}

// saved is what columns are restored to.
type saved struct {
	mark                                mark
	labels, deployments, kpis           int
	names                               [14]int
	predictions, labelTally, otherTally Tally
	kpiTally                            Tally
}

func (c Columns) names() [14]*Names {
	var n [14]*Names
	if p := c.Predictions; p != nil {
		n[0], n[1], n[2], n[3], n[4], n[5] = &p.Model, &p.Deploy, &p.Stage, &p.Predicted, &p.Status, &p.Half
	}
	if l := c.Labels; l != nil {
		n[6], n[7] = &l.Model, &l.Class
	}
	if d := c.Deployments; d != nil {
		n[8], n[9], n[10] = &d.Model, &d.Deploy, &d.Stage
	}
	if k := c.KPIs; k != nil {
		n[11], n[12], n[13] = &k.Model, &k.Name, &k.Segment
	}
	return n
}

func (c Columns) save() saved {
	var s saved
	for i, n := range c.names() {
		if n != nil {
			s.names[i] = n.Dict.Len()
		}
	}
	if p := c.Predictions; p != nil {
		s.mark, s.predictions = p.mark(), p.Tally
	}
	if l := c.Labels; l != nil {
		s.labels, s.labelTally = l.Len(), l.Tally
	}
	if d := c.Deployments; d != nil {
		s.deployments, s.otherTally = d.Len(), d.Tally
	}
	if k := c.KPIs; k != nil {
		s.kpis, s.kpiTally = k.Len(), k.Tally
	}
	return s
}

// restore takes back every row since save.
func (c Columns) restore(s *saved) {
	if p := c.Predictions; p != nil {
		p.rollback(s.mark)
		p.Tally = s.predictions
	}
	if l := c.Labels; l != nil {
		l.cut(s.labels)
		l.Tally = s.labelTally
	}
	if d := c.Deployments; d != nil {
		d.cut(s.deployments)
		d.Tally = s.otherTally
	}
	if k := c.KPIs; k != nil {
		k.cut(s.kpis)
		k.Tally = s.kpiTally
	}
	for i, n := range c.names() {
		if n != nil {
			n.Dict.Truncate(s.names[i])
		}
	}
}

// cut keeps the first n rows; the dictionaries are restored with all others.
func (l *Labels) cut(n int) {
	l.Model.cut(n)
	l.Class.cut(n)
	l.ID.Truncate(n)
	l.TS, l.Deleted = l.TS[:n], l.Deleted[:n]
	l.Value.truncate(n)
	l.Source.cut(n)
}

func (d *Deployments) cut(n int) {
	d.Model.cut(n)
	d.Deploy.cut(n)
	d.Stage.cut(n)
	d.TS = d.TS[:n]
	for _, t := range d.texts() {
		t.Truncate(n)
	}
	d.Source.cut(n)
}

func (n *Names) cut(rows int) { n.IDs = n.IDs[:rows] }

func (s *Origin) cut(n int) { s.Known, s.Offset = s.Known[:n], s.Offset[:n] }

// text views bytes as a string that lives no longer than they do.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
