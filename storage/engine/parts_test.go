package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/compress"
)

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"data directory":        func(c *Config) { c.DataDir = "" },
		"not loopback":          func(c *Config) { c.Listen = "0.0.0.0:8123" },
		"listen address":        func(c *Config) { c.Listen = "8123" },
		"database \"a-b\"":      func(c *Config) { c.Database = "a-b" },
		"user \"1x\"":           func(c *Config) { c.User = "1x" },
		"are both":              func(c *Config) { c.ReadUser = c.User },
		"memory limit":          func(c *Config) { c.MaxMemory = 1 << 20 },
		"must be at least 1":    func(c *Config) { c.MaxQueries = 0 },
		"caps of the read-only": func(c *Config) { c.Analyst.Rows = 0 },
		"engine.disk_limit":     func(c *Config) { c.DiskLimit = 85 },
		"timeout must be":       func(c *Config) { c.StartTimeout = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	c := DefaultConfig()
	c.Listen, c.AllowedHosts = "0.0.0.0:8123", []string{"engine.internal"}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestLimitsOnlyGoDown(t *testing.T) {
	l := Limits{Time: 30 * time.Second, Rows: 100, Memory: 1 << 30}
	for asked, want := range map[string]string{"": "30", "0": "30", "5": "5", "31": "30", "-1": "30", "x": "30"} {
		s := map[string]string{"max_execution_time": asked}
		l.apply(s)
		if s["max_execution_time"] != want {
			t.Errorf("asked %q: got %s, want %s", asked, s["max_execution_time"], want)
		}
	}
}

func TestBackoffAndWindow(t *testing.T) {
	var got []time.Duration
	for n := 1; n <= 6; n++ {
		got = append(got, backoff(n))
	}
	want := "[100ms 400ms 1.6s 6.4s 25.6s 30s]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	now := time.Unix(1000, 0)
	crashes := []time.Time{now.Add(-6 * time.Minute), now.Add(-5 * time.Minute), now.Add(-time.Second)}
	if n := len(recent(crashes, now)); n != 2 {
		t.Errorf("%d recent crashes, want 2", n)
	}
}

func TestDiskState(t *testing.T) {
	d := DiskUnknown
	for _, step := range []struct {
		used float64
		want DiskState
	}{{0.5, DiskOK}, {0.85, DiskOK}, {0.851, DiskFull}, {0.84, DiskFull}, {0.82, DiskOK}, {0.84, DiskOK}} {
		if d = d.next(step.used, 0.85); d != step.want {
			t.Errorf("used %v: got %v, want %v", step.used, d, step.want)
		}
	}
	if used, err := diskUsed(t.TempDir()); err != nil || used < 0 || used > 1 {
		t.Errorf("used %v, %v", used, err)
	}
	if _, err := diskUsed("/no/such/path"); err == nil {
		t.Error("looked at a disk that is not there")
	}
	if DiskFull.String() != "full" || DiskOK.String() != "ok" || DiskUnknown.String() != "unknown" {
		t.Error("names")
	}
}

func TestExceptionCodes(t *testing.T) {
	for msg, want := range map[string]struct{ code, status int }{
		"Code: 60. DB::Exception: x (UNKNOWN_TABLE)":  {60, 404},
		"Error: Code: 62. DB::Exception: Syntax":      {62, 400},
		"no code at all":                              {1001, 500},
		"Code: 99999999999999999999. DB::Exception: ": {1001, 500},
		"Code: 516. DB::Exception: x":                 {516, 403},
		"Code: 159. DB::Exception: Timeout exceeded":  {159, 408},
	} {
		if e := newException(msg); e.code != want.code || e.status() != want.status || !strings.HasPrefix(e.text, "Code: ") {
			t.Errorf("%s: code %d, status %d, text %q", msg, e.code, e.status(), e.text)
		}
	}
}

// TestOutput holds the frames that clients parse; the version stands for any.
func TestOutput(t *testing.T) {
	w := httptest.NewRecorder()
	o := newOutput(w, "26.7")
	o.options(outputOptions{format: "TSV", compress: "LZ4"})
	rows := bytes.Repeat([]byte("0123456789"), maxBlock/5) // two blocks
	if err := o.write(rows); err != nil {
		t.Fatal(err)
	}
	o.finish(raise(395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO", "late"))
	body := w.Body.Bytes()
	text := "Code: 395. DB::Exception: late (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO) (version 26.7)"
	frame := fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", o.tag, text, len(text)+1, o.tag)
	if w.Code != 200 || w.Header().Get("X-ClickHouse-Exception-Tag") != o.tag || len(o.tag) != 16 || !bytes.HasSuffix(body, []byte(frame)) {
		t.Fatalf("status %d, headers %v, end %q", w.Code, w.Header(), body[max(0, len(body)-300):])
	}
	plain, err := io.ReadAll(newBlockReader(bytes.NewReader(body[:len(body)-len(frame)])))
	if err != nil || !bytes.Equal(plain, rows) {
		t.Errorf("%d bytes, want %d, %v", len(plain), len(rows), err)
	}

	w = httptest.NewRecorder()
	o = newOutput(w, "26.7")
	o.options(outputOptions{format: "JSON", encoding: "gzip"})
	o.finish(errors.New("boom"))
	if w.Code != 500 || w.Header().Get("X-ClickHouse-Exception-Code") != "1001" || w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Body.String(), "boom") {
		t.Errorf("early error: status %d, headers %v, body %q", w.Code, w.Header(), w.Body)
	}
}

func TestEncodings(t *testing.T) {
	for accept, want := range map[string]string{
		"": "", "identity": "", "gzip": "gzip", "deflate, gzip;q=0.5": "gzip", "br;q=0, zstd": "zstd", "lz4,zstd,br,gzip": "br", "GZIP": "gzip", "gzip; q=0": "",
	} {
		if got := chooseEncoding(accept); got != want {
			t.Errorf("%q: got %q, want %q", accept, got, want)
		}
	}
	for _, e := range []string{"", "br", "gzip", "deflate", "lz4", "zstd"} {
		var b bytes.Buffer
		w := encodeBody(&b, e)
		_, err := io.WriteString(w, "some rows")
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		r, err := decodeBody(&b, e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "some rows" {
			t.Errorf("%s: %q, %v", e, got, err)
		}
	}
}

func TestBlockReaderTellsCutFromEnd(t *testing.T) {
	w := compress.NewWriter(compress.LevelZero, compress.LZ4)
	if err := w.Compress([]byte("rows")); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(w.Data); n++ {
		if got, err := io.ReadAll(newBlockReader(bytes.NewReader(w.Data[:n]))); err == nil {
			t.Fatalf("cut at %d of %d: accepted as %q", n, len(w.Data), got)
		}
	}
}

func TestArrowEnd(t *testing.T) {
	for _, tc := range []struct {
		parts []string
		want  bool
	}{
		{[]string{""}, true}, // an empty body is the engine's to judge
		{[]string{"schema", "\xff\xff\xff\xff\x00\x00\x00\x00"}, true},
		{[]string{"schema\xff\xff\xff\xff\x00", "\x00\x00", "\x00"}, true},
		{[]string{"schema\xff\xff\xff\xff\x00", "\x00\x00", "\x00", "x"}, false},
		{[]string{"schema", "batch"}, false},
		{[]string{"x"}, false},
	} {
		l := &lastBytes{}
		for _, p := range tc.parts {
			l.add([]byte(p))
		}
		if l.endsArrow() != tc.want {
			t.Errorf("%q: got %v", tc.parts, !tc.want)
		}
	}
}

func TestStreamableFormatsAreThoseThatJoin(t *testing.T) {
	for format, want := range map[string]bool{
		"Native": true, "TSV": true, "JSONEachRow": true, "csv": true, "RowBinary": true,
		"JSON": false, "ArrowStream": false, "Parquet": false, "CSVWithNames": false, "TSVWithNames": false, "RowBinaryWithNamesAndTypes": false,
	} {
		if streamable(format) != want {
			t.Errorf("%s: got %v", format, !want)
		}
	}
}

// TestSandbox confines a thread of its own, which ends with its goroutine.
func TestSandbox(t *testing.T) {
	allowed, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	var port int
	if _, err := fmt.Sscanf(srv.URL, "http://127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	type outcome struct{ restrict, read, write, connect error }
	got := make(chan outcome)
	go func() {
		runtime.LockOSThread()
		var o outcome
		o.restrict = restrictThread(systemPaths(), []string{allowed})
		_, o.read = os.ReadFile(secret)
		o.write = os.WriteFile(filepath.Join(allowed, "x"), nil, 0o600)
		o.connect = connectTo(port)
		got <- o
	}()
	o := <-got
	if errors.Is(o.restrict, errNoSandbox) {
		t.Skip(o.restrict)
	}
	if o.restrict != nil || !errors.Is(o.read, fs.ErrPermission) || o.write != nil || !errors.Is(o.connect, syscall.EACCES) {
		t.Errorf("restrict %v, read %v, write %v, connect %v", o.restrict, o.read, o.write, o.connect)
	}
	if _, err := os.ReadFile(secret); err != nil {
		t.Errorf("the rest of the process is confined too: %v", err)
	}
}

// connectTo opens a TCP connection from the calling thread.
func connectTo(port int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}
