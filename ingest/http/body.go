package ingesthttp

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"
)

// splitFunc finds the events of a body.
type splitFunc func(body []byte, limit int) []event

// mediaArrow is the registered name of Arrow IPC streams.
const mediaArrow = "application/vnd.apache.arrow.stream"

// checkFunc sorts a body's events into what is produced to a topic and what is
// rejected, or refuses the whole.
type checkFunc func(body []byte, h *hold, now time.Time) (checked, *reply)

// checked is a body of which something may be good.
type checked struct {
	topic    string
	records  []record
	rejected []rejection
}

// format chooses how a body is read by its Content-Type, or refuses it.
func (s *Server) format(k kind, contentType string) (checkFunc, *reply) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = ""
	}
	var split splitFunc
	switch media {
	case mediaArrow:
		if k.arrow.Topic == "" {
			return nil, refuse(http.StatusUnsupportedMediaType, "no topic takes %s as Arrow; add {topic: %s.arrow, holds: [%s], format: arrow} to ingest.sources, or send JSON", k.name, k.name, k.name)
		}
		return func(body []byte, h *hold, now time.Time) (checked, *reply) { return s.checkArrow(k, body, h, now) }, nil
	case "application/x-ndjson", "application/jsonl":
		split = splitLines
	case "application/json":
		split = splitJSON
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "send Content-Type: application/x-ndjson with one event a line, application/json with one event or an array, or %s", mediaArrow)
	}
	if k.topic == "" {
		return nil, refuse(http.StatusUnsupportedMediaType, "no topic takes %s as JSON; add {topic: %s.json, holds: [%s], format: json} to ingest.sources", k.name, k.name, k.name)
	}
	return func(body []byte, _ *hold, now time.Time) (checked, *reply) { return s.checkJSON(k, split, body, now) }, nil
}

func (s *Server) checkJSON(k kind, split splitFunc, body []byte, now time.Time) (checked, *reply) {
	events := split(body, s.cfg.MaxEvents)
	switch {
	case len(events) == 0:
		return checked{}, noEvent()
	case len(events) > s.cfg.MaxEvents:
		return checked{}, s.tooMany()
	}
	records, rejected := check(k.new(s.limits), events, now.UnixMilli())
	return checked{k.topic, records, rejected}, nil
}

// errPressure says that the bytes under way leave no room for this body.
var errPressure = errors.New("too many bytes are under way")

// errTooLarge says that a body exceeds the limit.
var errTooLarge = errors.New("the body is too large")

// read returns the decompressed body, or the refusal. Its memory is held before
// it is taken.
func (s *Server) read(w http.ResponseWriter, r *http.Request, h *hold) ([]byte, *reply) {
	if r.ContentLength > int64(s.cfg.MaxBody) {
		return nil, s.tooLarge()
	}
	// Compressed and plain size have the same bound; one byte more tells a body
	// at the limit from one above it.
	from, size := io.Reader(http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody))), int(r.ContentLength)
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		unzip, err := gzip.NewReader(from)
		if err != nil {
			return nil, s.unread(err)
		}
		from, size = unzip, 0
	}
	body, err := readAll(from, size, s.cfg.MaxBody, h.grow)
	if err != nil {
		return nil, s.unread(err)
	}
	// A deadline that passes while Kafka is awaited would end the connection.
	// Where the server knows no deadlines there was none.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// firstRead is the memory in bytes for a body of unknown size to begin with.
const firstRead = 4 << 10

// readAll reads at most limit bytes. size is what is expected, 0 if that is
// unknown; room is asked before memory is taken.
func readAll(r io.Reader, size, limit int, room func(int) bool) ([]byte, error) {
	capacity := min(firstRead, limit+1)
	if size > 0 {
		capacity = size + 1
	}
	if !room(capacity) {
		return nil, errPressure
	}
	body := make([]byte, 0, capacity)
	for {
		if len(body) == cap(body) {
			capacity = min(2*capacity, limit+1)
			if !room(capacity) {
				return nil, errPressure
			}
			body = append(make([]byte, 0, capacity), body...)
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		}
	}
}

// unread says why a body could not be read.
func (s *Server) unread(err error) *reply {
	var over *http.MaxBytesError
	switch {
	case errors.Is(err, errPressure):
		return s.tooMuch()
	case errors.Is(err, errTooLarge), errors.As(err, &over):
		return s.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "the body did not arrive within %s; nothing was taken", s.cfg.ReadTimeout)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return refuse(http.StatusBadRequest, "the body is not what Content-Encoding: gzip says; nothing was taken")
	}
	return refuse(http.StatusBadRequest, "the body could not be read to its end; nothing was taken: %s", err)
}

func (s *Server) tooLarge() *reply {
	return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes, compressed or not; nothing was taken; send it in parts", s.cfg.MaxBody)
}

func (s *Server) tooMany() *reply {
	return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d events; nothing was taken; send it in parts", s.cfg.MaxEvents)
}

func noEvent() *reply { return refuse(http.StatusBadRequest, "the body holds no event") }

func (s *Server) tooMuch() *reply {
	return refuse(http.StatusTooManyRequests, "too much is under way; nothing was taken; repeat the request after the seconds of Retry-After")
}

func refuse(status int, text string, args ...any) *reply {
	return &reply{status: status, answer: answer{Error: fmt.Sprintf(text, args...)}}
}
