package alerting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// TermHeader carries the Term of whoever posts alerts, and in a refusal the one that
// is known.
const TermHeader = "Plumbline-Term"

// Term is the right to evaluate a share of the rule groups: of two evaluators of a
// share, the one with the greater number is the later, and the former is refused.
type Term struct {
	Share  string `json:"Group"` // as the file of terms has it
	Number int64
}

// String returns the term as TermHeader carries it.
func (t Term) String() string { return strconv.FormatInt(t.Number, 10) + " " + t.Share }

// ParseTerm reads what String wrote.
func ParseTerm(text string) (Term, error) {
	number, share, ok := strings.Cut(text, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || share == "" || n < 0 {
		return Term{}, fmt.Errorf("%s: %q is not a number and a share of the rule groups", TermHeader, text)
	}
	return Term{Share: share, Number: n}, nil
}

// ErrFenced is returned for alerts of an evaluator that another has replaced.
var ErrFenced = errors.New("another evaluator has taken over the rule group")

// FencedError is ErrFenced with the term that is known. Whoever still has the duty
// may raise its own term over that: terms begin anew where the offsets that hold them
// are gone, and the replicas remember.
type FencedError struct {
	Term  Term // that was refused
	Known int64
}

// Error implements error.
func (e *FencedError) Error() string {
	return fmt.Sprintf("%s: term %d of %q, but %d is known", ErrFenced, e.Term.Number, e.Term.Share, e.Known)
}

// Unwrap returns ErrFenced.
func (*FencedError) Unwrap() error { return ErrFenced }

// fence remembers the greatest term of every share, durably: a restart must not
// let a former evaluator in again.
type fence struct {
	file *frameFile

	mu    sync.Mutex
	terms map[string]int64
}

func (c *core) openFence() error {
	file, content, err := c.open("terms")
	if err != nil {
		return err
	}
	f := &fence{file: file, terms: make(map[string]int64)}
	err = eachFrame(content, func(frame []byte) error {
		var t Term
		if err := json.Unmarshal(frame, &t); err != nil {
			return err
		}
		f.terms[t.Share] = max(f.terms[t.Share], t.Number)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read terms: %w", err)
	}
	c.fence = f
	return c.fence.file.Replace(f.frames)
}

func (f *fence) frames() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var frames []byte
	for share, number := range f.terms {
		content, err := json.Marshal(Term{share, number})
		if err != nil {
			return nil, err
		}
		frames = appendFrame(frames, content)
	}
	return frames, nil
}

// pass lets the holder of the greatest term in.
func (f *fence) pass(t Term) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch known := f.terms[t.Share]; {
	case t.Number < known:
		return &FencedError{Term: t, Known: known}
	case t.Number == known && known > 0:
		return nil
	}
	content, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := f.file.Append(appendFrame(nil, content)); err != nil {
		return fmt.Errorf("store term: %w", err)
	}
	f.terms[t.Share] = t.Number
	return nil
}

// maxPost bounds one post of alerts.
const maxPost = 16 << 20

// fenced refuses alerts of a former evaluator and answers an announcement, which
// is a post without alerts. Posts without a term pass: they are a Prometheus'
// or a person's.
func (f *fence) fenced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get(TermHeader)
		if header == "" || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/alerts") {
			next.ServeHTTP(w, r)
			return
		}
		t, err := ParseTerm(header)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fenced := new(FencedError)
		if err := f.pass(t); errors.As(err, &fenced) {
			w.Header().Set(TermHeader, Term{t.Share, fenced.Known}.String())
			http.Error(w, err.Error(), http.StatusConflict)
			return
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPost))
		if long := new(http.MaxBytesError); errors.As(err, &long) {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if text := bytes.TrimSpace(body); bytes.Equal(text, []byte("[]")) || len(text) == 0 {
			return // an announcement; the answer is 200
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}
