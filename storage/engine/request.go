//go:build linux && amd64

package engine

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	// headBytes of a body are looked at to tell a statement from its data.
	headBytes = 1 << 20
	// maxStatement is the longest statement without data.
	maxStatement = 16 << 20
)

// request is an HTTP request, understood.
type request struct {
	access    access
	sql       string // the statement, without insert data
	st        statement
	data      io.Reader // what follows an INSERT
	database  string
	format    string // of the result, or of the insert's data
	settings  map[string]string
	params    []param
	externals []external
	queryID   string
	compress  string // block compression of the answer: "", "LZ4" or "ZSTD"
	encoding  string // Content-Encoding of the answer
	wait      bool   // whole answer before its first byte
	revision  int    // client_protocol_version; counts for helloQuery only
}

// controlParams of the URL are not settings: they belong to the interface, or
// have no meaning in an engine without a network and without asynchronous
// inserts. An INSERT is stored when it is acknowledged, whatever async_insert
// says.
var controlParams = map[string]bool{
	"query": true, "database": true, "default_format": true, "user": true, "password": true, "quota_key": true,
	"session_id": true, "session_timeout": true, "session_check": true, "close_session": true, "query_id": true,
	"compress": true, "decompress": true, "buffer_size": true, "wait_end_of_query": true, "role": true,
	"client_protocol_version": true, "stacktrace": true, "enable_http_compression": true,
	"send_progress_in_http_headers": true, "add_http_cors_header": true, "log_queries": true,
	"cancel_http_readonly_queries_on_client_close": true,
}

func isControlParam(name string) bool {
	if controlParams[name] {
		return true
	}
	for _, prefix := range []string{"http_", "network_", "async_insert", "wait_for_async_insert"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// analystSettings may be given by the read-only user; capped ones only
// downwards, see Limits.
var analystSettings = map[string]bool{
	"max_execution_time": true, "max_result_rows": true, "max_memory_usage": true, "max_block_size": true,
	"session_timezone": true, "join_use_nulls": true, "date_time_output_format": true, "extremes": true,
	"max_threads": true, "log_comment": true, "readonly": true, "result_overflow_mode": true, "final": true,
}

// readRequest understands r, which access a asks.
func (s *server) readRequest(r *http.Request, a access) (*request, error) {
	q := &request{access: a, settings: map[string]string{}}
	if err := q.readParams(r, s.cfg.Database); err != nil {
		return nil, err
	}
	read := q.body
	if isForm(r) {
		read = q.readForm
	}
	body, err := read(r)
	if err != nil {
		return nil, err
	}
	if err := q.readStatement(r.URL.Query().Get("query"), body); err != nil {
		return nil, err
	}
	return q, s.mayRun(q)
}

// readParams takes everything but the statement from the URL and headers.
// database is the one to use if none is named.
func (q *request) readParams(r *http.Request, database string) error {
	v, form := r.URL.Query(), isForm(r)
	for name, values := range v {
		value := values[len(values)-1]
		switch {
		case strings.HasPrefix(name, "param_"):
			q.params = append(q.params, param{name[len("param_"):], value})
		case isControlParam(name), form && isExternalParam(name):
		case !isIdentifier(name):
			return raise(115, "UNKNOWN_SETTING", fmt.Sprintf("Unknown setting '%s'", clip(name, 64)))
		case q.access == accessAnalyst && !analystSettings[name] && !strings.HasPrefix(name, "output_format_") && !strings.HasPrefix(name, "format_"):
			return raise(codeReadonly, "READONLY", fmt.Sprintf("Cannot modify '%s' setting in readonly mode", name))
		default:
			q.settings[name] = value
		}
	}
	if q.access == accessAnalyst {
		delete(q.settings, "readonly")
	}
	first := func(values ...string) string {
		for _, x := range values {
			if x != "" {
				return x
			}
		}
		return ""
	}
	q.database = first(v.Get("database"), r.Header.Get("X-ClickHouse-Database"), database)
	q.format = first(r.Header.Get("X-ClickHouse-Format"), v.Get("default_format"))
	q.queryID = first(v.Get("query_id"), r.Header.Get("X-ClickHouse-Query-Id"))
	q.revision, _ = strconv.Atoi(v.Get("client_protocol_version")) // 0 if none
	q.wait = truthy(v.Get("wait_end_of_query"))
	if truthy(v.Get("compress")) {
		q.compress = strings.ToUpper(first(v.Get("network_compression_method"), "LZ4"))
	}
	if truthy(v.Get("enable_http_compression")) {
		q.encoding = chooseEncoding(r.Header.Get("Accept-Encoding"))
	}
	if q.format != "" && !knownFormat(q.format) {
		return raise(codeUnknownFormat, "UNKNOWN_FORMAT", "Unknown format "+clip(q.format, 40))
	}
	return nil
}

func truthy(s string) bool { return s == "1" || s == "true" }

// body undoes Content-Encoding and the block compression of decompress=1.
func (q *request) body(r *http.Request) (io.Reader, error) {
	body, err := decodeBody(r.Body, r.Header.Get("Content-Encoding"))
	if err != nil {
		return nil, err
	}
	if truthy(r.URL.Query().Get("decompress")) {
		body = newBlockReader(body)
	}
	return body, nil
}

// readStatement separates the statement from insert data. The statement is
// the query parameter followed by the body, of which usually one is empty.
func (q *request) readStatement(fromURL string, body io.Reader) error {
	text := fromURL
	var head []byte
	if st, err := parseStatement(fromURL); fromURL == "" || err != nil || st.kind != kindInsertData {
		if head, err = readHead(body, headBytes); err != nil {
			return err
		}
		text = joinStatement(fromURL, head)
	}
	st, err := parseStatement(text)
	if err != nil {
		return err
	}
	q.st, q.sql = st, text
	if st.kind == kindInsertData {
		q.sql = st.head
		q.data = io.MultiReader(strings.NewReader(text[min(st.dataAt, len(text)):]), body)
		if st.format != "" {
			q.format = st.format
		} else if q.format == "" {
			q.format = "Values"
		}
		return nil
	}
	if st.format != "" {
		q.format = st.format
	} else if q.format == "" {
		q.format = "TabSeparated"
	}
	if len(head) < headBytes {
		return nil
	}
	rest, err := readHead(body, maxStatement)
	if err != nil {
		return err
	}
	if len(rest) == maxStatement {
		return raise(codeQueryTooLarge, "QUERY_IS_TOO_LARGE", fmt.Sprintf("a statement without data is limited to %d bytes", maxStatement))
	}
	q.sql = text + string(rest)
	q.st, err = parseStatement(q.sql)
	return err
}

func joinStatement(fromURL string, body []byte) string {
	if fromURL == "" || len(bytes.TrimSpace(body)) == 0 {
		return fromURL + string(body)
	}
	return fromURL + "\n" + string(body)
}

// readHead reads up to n bytes.
func readHead(r io.Reader, n int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, n))
	if err != nil {
		return nil, raise(codeCannotReadAll, "CANNOT_READ_ALL_DATA", "read request body: "+err.Error())
	}
	return b, nil
}

// mayRun holds back what the access does not allow. The engine's own parser
// judges; readonly on the connection is the second lock.
func (s *server) mayRun(q *request) error {
	if q.access == accessFull {
		return nil
	}
	if q.st.kind == kindSelect || q.st.kind == kindOther {
		n, class, err := s.pool.analyse(q.sql)
		if err != nil {
			return raise(codeStdException, "STD_EXCEPTION", err.Error())
		}
		if n == 1 && class == classReadOnly || class == classUnknown && q.st.kind == kindSelect {
			return nil
		}
	}
	why := "Cannot execute query in readonly mode."
	if q.access == accessRead {
		why += " For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries."
	}
	return raise(codeReadonly, "READONLY", why)
}
