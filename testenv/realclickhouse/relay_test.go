package realclickhouse

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// ended is a body that may not be read after its end, as a server's may not once
// it has begun to answer.
type ended struct {
	io.Reader
	over bool
}

func (e *ended) Read(p []byte) (int, error) {
	if e.over {
		return 0, errors.New("read after its end")
	}
	n, err := e.Reader.Read(p)
	e.over = err != nil
	return n, err
}

// A relay that peeked into short statements read their end twice, and so broke
// off an answer now and then.
func TestTheEndOfAStatementIsReadOnce(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = w.Write(text)
	}))
	defer behind.Close()
	to, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := newRelay(to, nil, nil)
	for _, statement := range []string{"SELECT version()", "DROP TABLE a", "SELECT " + strings.Repeat("1+", 10_000) + "1"} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", &ended{Reader: strings.NewReader(statement)})
		request.ContentLength = int64(len(statement))
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK || answer.Body.String() != statement {
			t.Errorf("%.20q was answered with %d %.60q", statement, answer.Code, answer.Body)
		}
	}
}
