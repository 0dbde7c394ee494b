//go:build linux && amd64

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// helloQuery is what clickhouse-go asks first. It is answered by hand, with
// revision 0: the client then decodes the plain Native that the library
// writes, which knows nothing of the revision a client asks for. The version
// of clickhouse-go is pinned in go.mod, and a test holds this.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

// configure shapes the answer as the request asks.
func (o *output) configure(q *request, timezone string) {
	if q.queryID == "" {
		id := randomHex(16)
		q.queryID = strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")
	}
	o.options(outputOptions{queryID: q.queryID, timezone: timezone, format: q.format, encoding: q.encoding, compress: q.compress})
}

// answer runs a request and writes its result.
func (s *server) answer(ctx context.Context, q *request, out *output) (err error) {
	if q.sql == helloQuery {
		return out.write(s.hello(q.revision))
	}
	c, err := s.pool.acquire(ctx, q.access, q.database, q.settings)
	if err != nil {
		return err
	}
	defer s.pool.release(c)
	// After an error a connection may still hold rows of the failed result,
	// which would begin the next one's.
	defer func() { c.ends = c.ends || err != nil || q.st.kind == kindSessionState || len(q.externals) > 0 }()
	for _, t := range q.externals {
		if err := t.create(c); err != nil {
			return err
		}
	}
	if q.st.kind == kindInsertData {
		return s.insert(ctx, c, q, out)
	}
	defer s.pool.watch(ctx, c)()
	if q.st.kind == kindSelect && !q.wait && streamable(q.format) {
		return c.stream(q.sql, q.format, q.params, out.write)
	}
	return c.whole(q, out)
}

// whole runs a statement to its end before it sends anything.
func (c *conn) whole(q *request, out *output) error {
	r := c.call(c.lib.query, q.sql, q.format, q.params)
	if r != nil && c.lib.resultError(r) == "" {
		st := c.stats(r)
		out.summary(querySummary(st))
	}
	_, err := c.take(r, out.write)
	return err
}

// insert passes the rows of an INSERT to the engine as they arrive. The rows
// never become part of the SQL: the parser ends inline rows at a blank line.
func (s *server) insert(ctx context.Context, c *conn, q *request, out *output) error {
	stream, err := c.startInsert(q.sql, q.format, q.params)
	if err != nil {
		return err
	}
	tail, err := copyRows(ctx, stream, q.data)
	if err == nil && strings.EqualFold(q.format, "ArrowStream") && !tail.endsArrow() {
		// The engine would take a stream that was cut between two messages.
		err = raise(codeCannotReadAll, "CANNOT_READ_ALL_DATA", "Arrow stream ends without its end-of-stream marker: it was cut off, nothing is inserted")
	}
	if err != nil {
		stream.cancel()
		return err
	}
	st, err := stream.done()
	if err != nil {
		return err
	}
	out.summary(querySummary(st))
	return nil
}

// copyRows appends rows to the stream until their end. It returns early, and
// without an error, when the engine has given up: done then says why.
func copyRows(ctx context.Context, stream *insertStream, rows io.Reader) (*lastBytes, error) {
	buf := make([]byte, 256<<10)
	tail := &lastBytes{}
	for {
		n, err := rows.Read(buf)
		tail.add(buf[:n])
		if n > 0 && !stream.append(buf[:n]) {
			tail.failed = true
			return tail, nil
		}
		if errors.Is(err, io.EOF) {
			return tail, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return tail, raise(codeCannotReadAll, "CANNOT_READ_ALL_DATA", fmt.Sprintf("read rows of INSERT, nothing is inserted: %v", err))
		}
	}
}

// customSerialization is the revision from which every column of a block
// begins with a flag, DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION.
const customSerialization = 54454

// hello is the answer to helloQuery: one Native block of the revision that the
// client asked in, for it does not know ours yet.
func (s *server) hello(revision int) []byte {
	b := &proto.Buffer{}
	if revision > 0 {
		(&proto.BlockInfo{BucketNum: -1}).Encode(b)
	}
	b.PutUVarInt(4)
	b.PutUVarInt(1)
	column := func(name, typ string) {
		b.PutString(name)
		b.PutString(typ)
		if revision >= customSerialization {
			b.PutBool(false)
		}
	}
	column("displayName()", "String")
	b.PutString("plumbline")
	column("version()", "String")
	b.PutString(s.version)
	column("revision()", "UInt32")
	b.PutUInt32(0)
	column("timezone()", "String")
	b.PutString(s.timezone)
	return b.Buf
}
