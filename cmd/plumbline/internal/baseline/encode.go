package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// event is one row as what is produced.
type event struct {
	row               int64
	id                string
	prediction, label []byte // label is nil where the row has none
}

// encoder turns rows into our JSON (docs/events.schema.json).
type encoder struct {
	o      Options
	plan   *plan
	prefix string // of ids: baseline/<content>/
	at     time.Time
	now    time.Time
	names  []string // of features and segments, as JSON with a colon
	// roles and parts are the plan's, once.
	roles []string
	parts []*part
}

func newEncoder(o Options, p *plan, content string, at time.Time) *encoder {
	e := &encoder{o: o, plan: p, prefix: "baseline/" + content + "/", at: at, now: o.Now()}
	e.roles, e.parts = p.parts()
	for _, q := range append(append([]part(nil), p.features...), p.segments...) {
		e.names = append(e.names, string(appendText(nil, q.name))+":")
	}
	return e
}

// errNUL and errUTF8 are texts that ingest refuses.
var (
	errNUL  = errors.New("holds a NUL character; clean it before")
	errUTF8 = errors.New("is not UTF-8; convert the file before")
	errLong = fmt.Errorf("is longer than %d bytes", maxName)
)

func checkText(s string, longest int) error {
	switch {
	case !utf8.ValidString(s):
		return errUTF8
	case strings.IndexByte(s, 0) >= 0:
		return errNUL
	case longest > 0 && len(s) > longest:
		return errLong
	}
	return nil
}

// appendText appends a JSON string. Marshal of a string cannot fail.
func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, text...)
}

// appendFloat appends a number; what is not finite has its bare word.
func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// value appends the value of a part as JSON.
func (e *encoder) value(b []byte, q *part, v *Vector, i int) []byte {
	if v.Null[i] {
		return append(b, "null"...)
	}
	switch q.kind {
	case KindInt:
		return strconv.AppendInt(b, v.Ints[i], 10)
	case KindFloat:
		return appendFloat(b, v.Floats[i])
	case KindBool:
		return strconv.AppendBool(b, v.Ints[i] != 0)
	case KindTime:
		return appendFloat(b, float64(v.Ints[i])/1e6)
	case KindText:
		return appendText(b, v.Texts[i])
	}
	return append(b, "null"...)
}

// class is value of a class: numbers as text if they are classes.
func (e *encoder) class(b []byte, q *part, v *Vector, i int) []byte {
	if e.o.Classes && !v.Null[i] && (q.kind == KindInt || q.kind == KindFloat) {
		return appendText(b, string(e.value(nil, q, v, i)))
	}
	return e.value(b, q, v, i)
}

// row makes the event of a row of a batch. The error names the row and column.
func (e *encoder) row(batch *Batch, i int) (event, error) {
	ev := event{row: batch.First + int64(i)}
	at, err := e.check(batch, i)
	if err != nil {
		return event{}, err
	}
	ev.id = e.prefix + e.key(batch, i)
	b := append(make([]byte, 0, 512), `{"prediction_id":`...)
	b = appendText(b, ev.id)
	b = appendText(append(b, `,"model":`...), string(e.o.Model))
	b = appendText(append(b, `,"deploy_hash":`...), string(e.o.Deploy))
	b = strconv.AppendInt(append(b, `,"stage":"training","ts":`...), at, 10)
	b = e.object(append(b, `,"features":`...), e.names, e.plan.features, batch, i)
	if len(e.plan.segments) > 0 {
		b = e.object(append(b, `,"segments":`...), e.names[len(e.plan.features):], e.plan.segments, batch, i)
	}
	if q := e.plan.score; q != nil {
		b = e.value(append(b, `,"score":`...), q, &batch.Columns[q.vector], i)
	}
	if q := e.plan.predicted; q != nil {
		b = e.class(append(b, `,"predicted":`...), q, &batch.Columns[q.vector], i)
	}
	ev.prediction = append(b, '}')
	if len(ev.prediction) > e.o.Limits.MaxBytes {
		return event{}, fmt.Errorf("%s: row %d: an event of %d bytes; ingest takes at most %d (ingest.max_event_bytes)", e.o.Name, ev.row+1, len(ev.prediction), e.o.Limits.MaxBytes)
	}
	if q := e.plan.label; q != nil && !batch.Columns[q.vector].Null[i] {
		b = appendText([]byte(`{"prediction_id":`), ev.id)
		b = appendText(append(b, `,"model":`...), string(e.o.Model))
		b = strconv.AppendInt(append(b, `,"ts":`...), at, 10)
		b = e.class(append(b, `,"label":`...), q, &batch.Columns[q.vector], i)
		ev.label = append(b, '}')
	}
	return ev, nil
}

func (e *encoder) object(b []byte, names []string, parts []part, batch *Batch, i int) []byte {
	b = append(b, '{')
	for j := range parts {
		if j > 0 {
			b = append(b, ',')
		}
		b = e.value(append(b, names[j]...), &parts[j], &batch.Columns[parts[j].vector], i)
	}
	return append(b, '}')
}

// key is what tells a row from the others: its id, or its number.
func (e *encoder) key(batch *Batch, i int) string {
	q := e.plan.id
	switch {
	case q == nil:
		return strconv.FormatInt(batch.First+int64(i), 10)
	case q.kind == KindInt:
		return strconv.FormatInt(batch.Columns[q.vector].Ints[i], 10)
	}
	return batch.Columns[q.vector].Texts[i]
}

// check refuses what ingest would refuse, and returns the row's time in
// milliseconds since 1970.
func (e *encoder) check(batch *Batch, i int) (at int64, err error) {
	row := batch.First + int64(i)
	for j, q := range e.parts {
		v := &batch.Columns[q.vector]
		longest := maxName
		switch {
		case e.roles[j] == "feature":
			longest = 0
		case e.roles[j] == "id":
			longest -= len(e.prefix)
		}
		switch {
		case v.Null[i] && (e.roles[j] == "id" || e.roles[j] == "time"):
			err = errors.New("null; every row needs one")
		case v.Null[i]:
		case q.kind == KindText:
			if err = checkText(v.Texts[i], longest); err == nil && v.Texts[i] == "" && (e.roles[j] == "id" || e.roles[j] == "label") {
				err = errors.New("empty text; make it null, or leave the row out")
			}
		case e.roles[j] == "score" && !e.o.ScoreIsNumber:
			err = checkProbability(v, q.kind, i)
		}
		if err != nil {
			return 0, valueError(e.o.Name, row, q.name, err)
		}
	}
	if e.plan.time == nil {
		return e.at.UnixMilli(), nil
	}
	micros, err := instant(e.plan.time, &batch.Columns[e.plan.time.vector], i)
	if err == nil {
		err = e.o.timely(micros, e.now)
	}
	if err != nil {
		return 0, valueError(e.o.Name, row, e.plan.time.name, err)
	}
	return micros / 1000, nil
}

func checkProbability(v *Vector, kind Kind, i int) error {
	var p float64
	if kind == KindInt {
		p = float64(v.Ints[i])
	} else {
		p = v.Floats[i]
	}
	if p < 0 || p > 1 {
		return fmt.Errorf("%g is no probability; if the model's scores are other numbers, say so in ingest.score_kinds", p)
	}
	return nil
}

// instant reads the time of a row as microseconds: a time, Unix milliseconds,
// or RFC 3339.
func instant(q *part, v *Vector, i int) (int64, error) {
	switch q.kind {
	case KindTime:
		return v.Ints[i], nil
	case KindInt:
		if ms := v.Ints[i]; ms >= 946684800000 && ms <= 4102444800000 {
			return ms * 1000, nil
		}
		return 0, fmt.Errorf("%d is no time in milliseconds since 1970 between 2000 and 2100", v.Ints[i])
	}
	t, err := time.Parse(time.RFC3339Nano, v.Texts[i])
	if err != nil {
		return 0, fmt.Errorf("%q is not RFC 3339 with a zone, such as 2026-01-31T08:30:00Z", v.Texts[i])
	}
	return t.UnixMicro(), nil
}
