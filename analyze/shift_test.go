package analyze

import (
	"testing"
	"time"
)

// A deploy that stopped within an hour once seemed to have drifted in the hour
// of the day: what is usual in that hour is the whole of it.
func TestWholeHours(t *testing.T) {
	hour := func(n int) time.Time { return time.Date(2026, 5, 4, n, 0, 0, 0, time.UTC) }
	tests := []struct {
		name        string
		first, last time.Time // of the deploy, by hour
		span, want  span
		ok          bool
	}{
		{"served throughout", hour(0), hour(20), span{hour(5), hour(15)}, span{hour(5), hour(15)}, true},
		{"began in the window", hour(5), hour(20), span{hour(5), hour(15)}, span{hour(6), hour(15)}, true},
		{"stopped in the window", hour(0), hour(14), span{hour(5), hour(15)}, span{hour(5), hour(14)}, true},
		{"the hour under way", hour(0), hour(15), span{hour(5), hour(15).Add(30 * time.Minute)}, span{hour(5), hour(15)}, true},
		{"only its first hour", hour(5), hour(5), span{hour(5), hour(6)}, span{}, false},
	}
	for _, tt := range tests {
		got, ok := tt.span.wholeHours(deploy{first: tt.first, last: tt.last})
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %v, %v; want %v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}
