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

// format chooses how a body is split by its Content-Type; nil if it is none of
// ours.
func format(contentType string) splitFunc {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil
	}
	switch media {
	case "application/x-ndjson", "application/jsonl":
		return splitLines
	case "application/json":
		return splitJSON
	}
	return nil
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

func (s *Server) tooMuch() *reply {
	return refuse(http.StatusTooManyRequests, "too much is under way; nothing was taken; repeat the request after the seconds of Retry-After")
}

func refuse(status int, text string, args ...any) *reply {
	return &reply{status: status, answer: answer{Error: fmt.Sprintf(text, args...)}}
}
