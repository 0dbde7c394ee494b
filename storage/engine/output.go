package engine

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
)

// maxBlock is the most bytes in one compressed frame, as in ClickHouse.
const maxBlock = 1 << 20

// output is the answer to one request. Nothing is sent before the first byte
// of a result, so that an error still gets its status; an error after that
// goes out as the exception frame that ClickHouse defines for it.
type output struct {
	w        http.ResponseWriter
	version  string
	tag      string
	encoding string
	blocks   *compress.Writer // nil without block compression
	body     io.WriteCloser   // nil until the first byte
}

func newOutput(w http.ResponseWriter, version string) *output {
	return &output{w: w, version: version, tag: randomHex(8)}
}

// outputOptions are the parts of a request that shape its answer.
type outputOptions struct {
	queryID, timezone, format, encoding, compress string
}

func (o *output) options(opt outputOptions) {
	h := o.w.Header()
	h.Set("X-ClickHouse-Query-Id", opt.queryID)
	h.Set("X-ClickHouse-Timezone", opt.timezone)
	h.Set("X-ClickHouse-Format", opt.format)
	h.Set("X-ClickHouse-Exception-Tag", o.tag)
	h.Set("Content-Type", contentType(opt.format))
	o.encoding = opt.encoding
	switch opt.compress {
	case "ZSTD":
		o.blocks = compress.NewWriter(compress.LevelZero, compress.ZSTD)
	case "LZ4":
		o.blocks = compress.NewWriter(compress.LevelZero, compress.LZ4)
	case "":
	default:
		o.blocks = compress.NewWriter(compress.LevelZero, compress.None)
	}
}

// summary sets the X-ClickHouse-Summary header, if nothing is sent yet.
func (o *output) summary(s querySummary) {
	o.w.Header().Set("X-ClickHouse-Summary", s.json())
}

// querySummary is what ClickHouse reports of a query's work.
type querySummary struct {
	readRows, readBytes, writtenRows, writtenBytes, resultRows uint64
}

func (s querySummary) json() string {
	return fmt.Sprintf(`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d","total_rows_to_read":"0","result_rows":"%d","result_bytes":"0","elapsed_ns":"0"}`,
		s.readRows, s.readBytes, s.writtenRows, s.writtenBytes, s.resultRows)
}

// start sends the header.
func (o *output) start() {
	if o.body != nil {
		return
	}
	if o.encoding != "" {
		o.w.Header().Set("Content-Encoding", o.encoding)
	}
	o.body = encodeBody(o.w, o.encoding)
}

// write sends part of a result.
func (o *output) write(b []byte) error {
	o.start()
	if o.blocks == nil {
		_, err := o.body.Write(b)
		return err
	}
	for len(b) > 0 {
		n := min(len(b), maxBlock)
		if err := o.blocks.Compress(b[:n]); err != nil {
			return fmt.Errorf("compress result: %w", err)
		}
		if _, err := o.body.Write(o.blocks.Data); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// finish ends the answer, with err if the request did not succeed.
func (o *output) finish(err error) {
	switch {
	case err != nil && o.body == nil:
		o.fail(asException(err))
	case err != nil:
		o.failLate(asException(err))
	case o.body != nil:
		_ = o.body.Close() // the client is gone if this fails
	}
}

func (o *output) text(e *exception) string {
	if strings.Contains(e.text, "(version ") {
		return e.text
	}
	return e.text + " (version " + o.version + ")"
}

// fail sends an error instead of a result, as plain text.
func (o *output) fail(e *exception) {
	h := o.w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
	if e.code == codeRequiredPassword {
		h.Set("WWW-Authenticate", `Basic realm="ClickHouse server HTTP API"`)
	}
	o.w.WriteHeader(e.status())
	_, _ = io.WriteString(o.w, o.text(e)+"\n") // the client is gone if this fails
}

// failLate appends the exception frame to a result that has begun: below the
// block compression, inside the Content-Encoding.
func (o *output) failLate(e *exception) {
	msg := clip(o.text(e), 16<<10)
	_, _ = fmt.Fprintf(o.body, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", o.tag, msg, len(msg)+1, o.tag)
	_ = o.body.Close() // the client is gone if either fails
}
