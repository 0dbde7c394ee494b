package serve_test

import (
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/serve"
)

func TestNearest(t *testing.T) {
	for _, test := range []struct {
		name  string
		known []string
		want  string
	}{
		{"hotell", []string{"car-loan", "hotel"}, "hotel"},
		{"hotl", []string{"hotel", "hostel"}, "hotel"},
		{"b", []string{"a"}, "a"},
		{"fruad", []string{"hotel", "fraud"}, "fraud"}, // two letters swapped are one change
		{"rfuad", []string{"fraud"}, ""},
		{"fraud", []string{"hotel"}, ""},
		{"", nil, ""},
	} {
		if got := serve.Nearest(test.name, test.known); got != test.want {
			t.Errorf("nearest to %q of %q is %q, want %q", test.name, test.known, got, test.want)
		}
	}
}
