//go:build linux && amd64

package engine

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is libchdb's C interface (chdb.h, 26.7), as Go functions. Strings
// cross with their lengths, because SQL and parameters may hold any byte.
type library struct {
	setSignalHandlers func(enabled int32)
	chdbVersion       func() string
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn         func(conn unsafe.Pointer)
	query             func(conn unsafe.Pointer, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	streamQuery func(conn unsafe.Pointer, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	streamFetch  func(conn, result unsafe.Pointer) unsafe.Pointer
	streamCancel func(conn, result unsafe.Pointer)
	destroy      func(result unsafe.Pointer)
	insert       func(conn unsafe.Pointer, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer
	insertAppend  func(stream unsafe.Pointer, data unsafe.Pointer, n uintptr) int32
	insertDone    func(stream unsafe.Pointer) unsafe.Pointer
	insertCancel  func(stream unsafe.Pointer)
	insertError   func(stream unsafe.Pointer) string
	insertDestroy func(stream unsafe.Pointer)
	resultBuffer  func(result unsafe.Pointer) unsafe.Pointer
	resultLength  func(result unsafe.Pointer) uintptr
	resultError   func(result unsafe.Pointer) string
	rowsRead      func(result unsafe.Pointer) uint64
	storageRows   func(result unsafe.Pointer) uint64
	storageBytes  func(result unsafe.Pointer) uint64
	rowsWritten   func(result unsafe.Pointer) uint64
	bytesWritten  func(result unsafe.Pointer) uint64
	classify      func(conn unsafe.Pointer, sql unsafe.Pointer, sqlLen uintptr, db unsafe.Pointer, dbLen uintptr, out unsafe.Pointer) int32
}

// loadLibrary opens libchdb and switches its signal handlers off, which only
// counts before the first connection. The process's own handlers, which that
// call resets as well, are put back; see signals_linux.go.
func loadLibrary(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("open engine library %s: %w", path, err)
	}
	l := &library{}
	for name, fn := range map[string]any{
		"chdb_set_signal_handlers_enabled": &l.setSignalHandlers,
		"chdb_version":                     &l.chdbVersion,
		"chdb_connect":                     &l.connect,
		"chdb_close_conn":                  &l.closeConn,
		"chdb_query_with_params_n":         &l.query,
		"chdb_stream_query_with_params_n":  &l.streamQuery,
		"chdb_stream_fetch_result":         &l.streamFetch,
		"chdb_stream_cancel_query":         &l.streamCancel,
		"chdb_destroy_query_result":        &l.destroy,
		"chdb_stream_insert_with_params_n": &l.insert,
		"chdb_stream_append":               &l.insertAppend,
		"chdb_stream_done":                 &l.insertDone,
		"chdb_stream_cancel_insert":        &l.insertCancel,
		"chdb_stream_insert_error":         &l.insertError,
		"chdb_destroy_insert_stream":       &l.insertDestroy,
		"chdb_result_buffer":               &l.resultBuffer,
		"chdb_result_length":               &l.resultLength,
		"chdb_result_error":                &l.resultError,
		"chdb_result_rows_read":            &l.rowsRead,
		"chdb_result_storage_rows_read":    &l.storageRows,
		"chdb_result_storage_bytes_read":   &l.storageBytes,
		"chdb_result_rows_written":         &l.rowsWritten,
		"chdb_result_bytes_written":        &l.bytesWritten,
		"chdb_classify_query_n":            &l.classify,
	} {
		sym, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("engine library %s has no %s, it is not the version this binary needs: %w", path, name, err)
		}
		purego.RegisterFunc(fn, sym)
	}
	return l, nil
}

// version is the library's own version, for example 26.7.3.
func (l *library) version() string { return l.chdbVersion() }

// native is one engine connection. It runs one statement at a time: its
// caller serialises.
type native struct {
	lib    *library
	handle unsafe.Pointer // chdb_connection *, to close
	conn   unsafe.Pointer // chdb_connection, to use
}

// open connects with command-line style arguments, each "--name=value". The
// first connection of a process boots the engine and decides the path. The
// library returns no reason for a failure: it writes it to standard error.
func (l *library) open(args []string) (*native, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]unsafe.Pointer, 0, len(args)+2)
	for _, a := range append([]string{"plumbline"}, args...) {
		b := append([]byte(a), 0)
		pin.Pin(&b[0])
		argv = append(argv, unsafe.Pointer(&b[0]))
	}
	argv = append(argv, nil)
	handle := l.connect(int32(len(argv)-1), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(argv)
	if handle == nil {
		return nil, errors.New("connect to the engine: refused, the reason is in the engine's log above")
	}
	return &native{lib: l, handle: handle, conn: *(*unsafe.Pointer)(handle)}, nil
}

func (c *native) close() {
	c.lib.closeConn(c.handle)
	c.handle, c.conn = nil, nil
}

// param is a query parameter: {name:Type} in SQL.
type param struct{ name, value string }

// cstrings is parameter names or values as the library takes them: pointers
// and lengths. Empty strings point at a byte, for the library refuses NULL.
type cstrings struct {
	ptrs []unsafe.Pointer
	lens []uintptr
}

func (s *cstrings) add(pin *runtime.Pinner, v string) {
	b := append([]byte(v), 0)
	pin.Pin(&b[0])
	s.ptrs = append(s.ptrs, unsafe.Pointer(&b[0]))
	s.lens = append(s.lens, uintptr(len(v)))
}

func (s *cstrings) pointers() (ptrs, lens unsafe.Pointer) {
	if len(s.ptrs) == 0 {
		return nil, nil
	}
	return unsafe.Pointer(&s.ptrs[0]), unsafe.Pointer(&s.lens[0])
}

type queryFunc func(conn unsafe.Pointer, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
	names, nameLens, values, valueLens unsafe.Pointer, n uintptr) unsafe.Pointer

func (c *native) call(fn queryFunc, sql, format string, params []param) unsafe.Pointer {
	var pin runtime.Pinner
	defer pin.Unpin()
	var names, values cstrings
	for _, p := range params {
		names.add(&pin, p.name)
		values.add(&pin, p.value)
	}
	np, nl := names.pointers()
	vp, vl := values.pointers()
	sqlB, formatB := append([]byte(sql), 0), append([]byte(format), 0)
	res := fn(c.conn, unsafe.Pointer(&sqlB[0]), uintptr(len(sql)), unsafe.Pointer(&formatB[0]), uintptr(len(format)),
		np, nl, vp, vl, uintptr(len(params)))
	runtime.KeepAlive(names)
	runtime.KeepAlive(values)
	runtime.KeepAlive(sqlB)
	runtime.KeepAlive(formatB)
	return res
}

// queryStats is what the engine counted for one statement.
type queryStats struct {
	readRows, readBytes       uint64
	writtenRows, writtenBytes uint64
	resultRows                uint64
}

func (c *native) stats(r unsafe.Pointer) queryStats {
	return queryStats{
		readRows:     c.lib.storageRows(r),
		readBytes:    c.lib.storageBytes(r),
		writtenRows:  c.lib.rowsWritten(r),
		writtenBytes: c.lib.bytesWritten(r),
		resultRows:   c.lib.rowsRead(r),
	}
}

// take hands the result's bytes to emit and frees the result. The bytes are
// the library's memory and are gone when take returns.
func (c *native) take(r unsafe.Pointer, emit func([]byte) error) (queryStats, error) {
	if r == nil {
		return queryStats{}, errors.New("Code: 1001. DB::Exception: the engine returned no result (STD_EXCEPTION)") //nolint:staticcheck // spelled as ClickHouse spells its exceptions
	}
	defer c.lib.destroy(r)
	if msg := c.lib.resultError(r); msg != "" {
		return queryStats{}, newException(msg)
	}
	st := c.stats(r)
	if n := c.lib.resultLength(r); n > 0 {
		if err := emit(unsafe.Slice((*byte)(c.lib.resultBuffer(r)), n)); err != nil {
			return st, err
		}
	}
	return st, nil
}

// run executes one statement and passes its whole result to emit.
func (c *native) run(sql, format string, params []param, emit func([]byte) error) (queryStats, error) {
	return c.take(c.call(c.lib.query, sql, format, params), emit)
}

// stream executes a SELECT and passes its result to emit chunk by chunk. Each
// chunk is a complete document of the format, so only formats whose documents
// can be joined may be streamed; see streamable.
func (c *native) stream(sql, format string, params []param, emit func([]byte) error) error {
	r := c.call(c.lib.streamQuery, sql, format, params)
	if r == nil {
		return errors.New("Code: 1001. DB::Exception: the engine returned no stream (STD_EXCEPTION)") //nolint:staticcheck // spelled as ClickHouse spells its exceptions
	}
	defer c.lib.destroy(r)
	if msg := c.lib.resultError(r); msg != "" {
		return newException(msg)
	}
	for {
		got := false
		_, err := c.take(c.lib.streamFetch(c.conn, r), func(b []byte) error {
			got = true
			return emit(b)
		})
		if err != nil {
			c.lib.streamCancel(c.conn, r)
			return err
		}
		if !got {
			return nil
		}
	}
}

// insertStream is an INSERT whose data is being appended.
type insertStream struct {
	c *native
	s unsafe.Pointer
}

// startInsert begins INSERT sql (without FORMAT and without data). The stream
// must be ended by done or cancel.
func (c *native) startInsert(sql, format string, params []param) (*insertStream, error) {
	s := &insertStream{c: c, s: c.call(c.lib.insert, sql, format, params)}
	if msg := c.lib.insertError(s.s); msg != "" {
		c.lib.insertDestroy(s.s)
		return nil, newException(msg)
	}
	return s, nil
}

// append passes data in the insert's format and may block while the engine
// works. It reports false when the engine has given up: call done for why.
func (s *insertStream) append(data []byte) bool {
	if len(data) == 0 {
		return true
	}
	ok := s.c.lib.insertAppend(s.s, unsafe.Pointer(&data[0]), uintptr(len(data))) == 0
	runtime.KeepAlive(data)
	return ok
}

// done commits what was appended and frees the stream.
func (s *insertStream) done() (queryStats, error) {
	defer s.c.lib.insertDestroy(s.s)
	return s.c.take(s.c.lib.insertDone(s.s), func([]byte) error { return nil })
}

// cancel gives the insert up and frees the stream. Blocks that the engine has
// already written, which happens above a million rows, stay.
func (s *insertStream) cancel() {
	s.c.lib.insertCancel(s.s)
	s.c.lib.insertDestroy(s.s)
}

// statementClass is the engine parser's judgement of a statement.
type statementClass uint32

const (
	classReadOnly statementClass = 0
	classUnknown  statementClass = 4 // did not parse
)

// analyse says how many statements sql holds and what they do to state that
// outlives them. Nothing is executed.
func (c *native) analyse(sql string) (count int, class statementClass, err error) {
	out := struct{ structSize, count, flags, class uint32 }{structSize: 16}
	b := append([]byte(sql), 0)
	rc := c.lib.classify(c.conn, unsafe.Pointer(&b[0]), uintptr(len(sql)), nil, 0, unsafe.Pointer(&out))
	runtime.KeepAlive(b)
	if rc != 0 {
		return 0, classUnknown, errors.New("classify statement: the engine connection is closed")
	}
	return int(out.count), statementClass(out.class), nil
}
