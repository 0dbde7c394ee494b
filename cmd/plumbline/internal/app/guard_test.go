package app

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGuard(t *testing.T) {
	loopback, anywhere := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9470}, &net.TCPAddr{IP: net.IPv6zero, Port: 9470}
	for _, test := range []struct {
		what               string
		address            net.Addr
		method, host, from string // from is the Origin
		want               int
	}{
		{"a person", loopback, "GET", "127.0.0.1:9470", "", 200},
		{"a person by name", loopback, "GET", "localhost:9470", "", 200},
		{"a person by IPv6", loopback, "GET", "[::1]:9470", "", 200},
		{"the proxy before it", loopback, "GET", "plumbline.example", "", 200},
		{"amtool", loopback, "POST", "127.0.0.1:9470", "", 200},
		{"its own page", loopback, "POST", "127.0.0.1:9470", "http://127.0.0.1:9470", 200},
		{"another page", loopback, "POST", "127.0.0.1:9470", "http://evil.example", 403},
		{"another page, deleting", anywhere, "DELETE", "plumbline.example", "http://evil.example", 403},
		{"a rebound name", loopback, "GET", "evil.example:9470", "", 403},
		{"a rebound name, posting", loopback, "POST", "evil.example", "http://evil.example", 403},
		{"a name that looks like one", loopback, "GET", "127.0.0.1.evil.example", "", 403},
		{"no name", loopback, "GET", "", "", 403},
		{"any name where others may connect", anywhere, "GET", "service.cluster.local:9470", "", 200},
	} {
		h := guard(test.address, "https://plumbline.example/at", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequestWithContext(t.Context(), test.method, "http://somewhere.example/", nil)
		r.Host = test.host
		if test.from != "" {
			r.Header.Set("Origin", test.from)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", test.what, w.Code, test.want)
		}
	}
}
