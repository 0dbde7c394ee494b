package app_test

import (
	"os"
	"testing"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

func TestLinksLeadSomewhere(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ external, address, want string }{
		{"", "127.0.0.1:9470", "http://127.0.0.1:9470"},
		{"", ":9470", "http://" + host + ":9470"},
		{"", "0.0.0.0:9470", "http://" + host + ":9470"},
		{"", "[::]:9470", "http://" + host + ":9470"},
		{"", "[::1]:9470", "http://[::1]:9470"},
		{"https://plumbline.example/at/", "0.0.0.0:9470", "https://plumbline.example/at"},
	} {
		if got := (app.WebConfig{ExternalURL: test.external}).URLAt(test.address); got != test.want {
			t.Errorf("%q listening on %s: links begin with %s, want %s", test.external, test.address, got, test.want)
		}
	}
}
