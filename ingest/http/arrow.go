package ingesthttp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// copies is how much memory checking an Arrow body takes: what it has, and as
// much again for the parts that are written anew.
const copies = 2

// checkArrow checks a body of Arrow row by row and cuts it into streams that each
// fit a record of Kafka. The key of a record is its first row's.
func (s *Server) checkArrow(k kind, body []byte, h *hold, now time.Time) (c checked, refused *reply) {
	if len(body) == 0 {
		return checked{}, noEvent()
	}
	// A request alone is always taken: the largest body must not be refused for
	// ever.
	room := func(inflated int) bool {
		return h.grow(min(copies*(cap(body)+inflated), s.cfg.MaxInFlightBytes))
	}
	if !room(0) {
		return checked{}, s.tooMuch()
	}
	defer func() {
		if p := recover(); p != nil {
			c, refused = checked{}, refuse(http.StatusBadRequest, "the body cannot be read: the decoder panicked, which is a bug of plumbline: %s", short(fmt.Sprint(p)))
		}
	}()
	parts, bad, err := decode.SplitArrow(k.arrow, s.limits, body, now.UnixMilli(), s.cfg.MaxBody, room)
	if errors.Is(err, decode.ErrNoRoom) {
		return checked{}, s.tooMuch()
	}
	if whole := new(decode.Error); errors.As(err, &whole) {
		return checked{}, &reply{http.StatusBadRequest, answer{Error: "no event was taken: " + short(whole.Error())}}
	}
	if err != nil {
		return checked{}, refuse(http.StatusInternalServerError, "no event was taken: %s", short(err.Error()))
	}
	events := len(bad)
	for _, part := range parts {
		events += len(part.Rows)
	}
	switch {
	case events == 0:
		return checked{}, noEvent()
	case events > s.cfg.MaxEvents:
		return checked{}, s.tooMany()
	}
	c.topic = k.arrow.Topic
	for _, b := range bad {
		c.rejected = append(c.rejected, newRejection(place{Event: b.Index + 1}, b.Error))
	}
	slices.SortFunc(c.rejected, byEvent)
	for _, part := range parts {
		r := record{key: part.Key, value: part.Value, places: make([]place, len(part.Rows))}
		for i, row := range part.Rows {
			r.places[i].Event = row + 1
		}
		c.records = append(c.records, r)
	}
	return c, nil
}

func byEvent(x, y rejection) int { return x.Event - y.Event }
