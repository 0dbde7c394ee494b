package analyze

import (
	"errors"
	"testing"
	"time"
)

// An error that stays is logged once in a while, and at once when another comes.
func TestAnErrorThatStaysIsLoggedOnce(t *testing.T) {
	var c complaints
	a, later, b := errors.New("no column good at 06:01"), errors.New("no column good at 06:02"), errors.New("memory")
	for _, step := range []struct {
		after time.Duration
		err   error
		want  bool
	}{
		{0, a, true}, {2 * time.Second, later, false}, {4 * time.Second, errors.Join(b, a), true}, {6 * time.Second, errors.Join(a, b), false},
		{8 * time.Second, a, false}, {complaintsAgain, a, true}, {complaintsAgain + time.Second, a, false}, {complaintsAgain + 5*time.Second, b, true},
	} {
		if got := c.news(step.err, now.Add(step.after)); got != step.want {
			t.Errorf("after %s %q is logged: %v, want %v", step.after, step.err, got, step.want)
		}
	}
}
