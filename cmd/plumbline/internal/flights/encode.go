package flights

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// The classes of predictions and labels.
const (
	classLate   = "late"
	classOnTime = "on_time"
)

func class(late bool) string {
	if late {
		return classLate
	}
	return classOnTime
}

// prediction is what one prediction event says.
type prediction struct {
	prefix              string
	row                 int32
	deploy              plumbline.DeployHash
	stage               plumbline.Stage
	at                  time.Time
	features            features
	miles               uint16 // the true distance, for the segment
	score               float64
	origin, destination string
}

// encoder writes events as JSON by appending: a run holds close to a million
// of them. Every string it writes is of letters, digits, - _ and . only
// (isPlainName, isAirportCode), so that none needs an escape.
type encoder struct {
	model string
	buf   []byte
}

// done returns copies of the key, which stands at [from:to] of the buffer, and
// of the value, which is all of it.
func (e *encoder) done(from, to int) (key, value []byte) {
	value = bytes.Clone(e.buf)
	return value[from:to:to], value
}

// id appends a prediction's id and returns where it stands. Rows are padded to
// the width of the largest, so that ids sort as the flights depart.
func (e *encoder) id(prefix string, row int32) (from, to int) {
	e.buf = append(e.buf[:0], `{"prediction_id":"`...)
	from = len(e.buf)
	e.buf = append(e.buf, prefix...)
	for limit := int32(1_000_000); limit > 1 && row < limit; limit /= 10 {
		e.buf = append(e.buf, '0')
	}
	e.buf = strconv.AppendInt(e.buf, int64(row), 10)
	return from, len(e.buf)
}

func (e *encoder) text(field, value string) {
	e.buf = append(e.buf, field...)
	e.buf = append(e.buf, value...)
	e.buf = append(e.buf, '"')
}

func (e *encoder) time(field string, at time.Time) {
	e.buf = append(e.buf, field...)
	e.buf = at.UTC().AppendFormat(e.buf, time.RFC3339)
	e.buf = append(e.buf, '"')
}

func (e *encoder) number(field string, value float64) {
	e.buf = append(e.buf, field...)
	e.buf = strconv.AppendFloat(e.buf, value, 'f', -1, 64)
}

func (e *encoder) prediction(p prediction) (key, value []byte) {
	from, to := e.id(p.prefix, p.row)
	e.text(`","model":"`, e.model)
	e.text(`,"deploy_hash":"`, string(p.deploy))
	e.text(`,"stage":"`, string(p.stage))
	e.time(`,"ts":"`, p.at)
	e.number(`,"features":{"distance":`, p.features.distance)
	e.text(`,"origin":"`, p.origin)
	e.text(`,"destination":"`, p.destination)
	e.number(`,"hour":`, float64(p.features.hour))
	e.text(`,"weekday":"`, weekdayName(p.features.weekday))
	e.text(`},"segments":{"haul":"`, haul(p.miles))
	// Six digits are more than a score means; the shortest exact form of a
	// float64 would make every event a tenth longer.
	e.buf = append(e.buf, `},"score":`...)
	e.buf = strconv.AppendFloat(e.buf, p.score, 'g', 6, 64)
	e.text(`,"predicted":"`, class(p.score > threshold))
	e.buf = append(e.buf, `,"status":"ok"}`...)
	return e.done(from, to)
}

func (e *encoder) label(prefix string, row int32, at time.Time, late bool) (key, value []byte) {
	from, to := e.id(prefix, row)
	e.text(`","model":"`, e.model)
	e.time(`,"ts":"`, at)
	e.text(`,"label":"`, class(late))
	e.buf = append(e.buf, '}')
	return e.done(from, to)
}

func (e *encoder) deployment(v version, dataset string, at time.Time) (key, value []byte) {
	e.buf = append(e.buf[:0], `{"model":"`...)
	from := len(e.buf)
	e.buf = append(e.buf, e.model...)
	to := len(e.buf)
	e.text(`","deploy_hash":"`, string(v.deploy))
	e.time(`,"ts":"`, at)
	e.text(`,"stage":"`, string(plumbline.StageProduction))
	e.text(`,"version":"`, v.name)
	e.text(`,"by":"`, "flights-ci")
	e.text(`,"commit":"`, v.commit)
	e.text(`,"dataset_hash":"`, dataset)
	e.text(`,"feature_job":"`, v.pipeline)
	e.buf = append(e.buf, '}')
	return e.done(from, to)
}

func weekdayName(w int) string {
	return [weekdays]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}[w]
}

// haul is the segment of a flight by its true distance in miles.
func haul(miles uint16) string {
	switch {
	case miles < 500:
		return "short"
	case miles < 1500:
		return "medium"
	}
	return "long"
}

// hashFlights names the training set: flights lo to hi.
func hashFlights(d *Data, lo, hi int) string {
	h := sha256.New()
	var buf []byte
	for i := lo; i < hi; i++ {
		buf = binary.LittleEndian.AppendUint32(buf[:0], uint32(d.departure[i]))
		buf = binary.LittleEndian.AppendUint16(buf, uint16(d.delay[i]))
		buf = binary.LittleEndian.AppendUint16(buf, d.distance[i])
		buf = append(buf, d.airports[d.origin[i]]...)
		buf = append(buf, d.airports[d.destination[i]]...)
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}
