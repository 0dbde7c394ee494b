package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestAPageDoesNotShowTheAddressThatWasSlow(t *testing.T) {
	slow := fmt.Errorf("read pieces: sendQuery: %w", &url.Error{Op: "Post", URL: "http://plumbline:secret@127.0.0.1:1", Err: context.DeadlineExceeded})
	if got := reasonOf(slow); strings.Contains(got, "127.0.0.1") || !strings.Contains(got, "longer than a page may wait") {
		t.Errorf("the page says %q", got)
	}
	if got := reasonOf(errors.New("no deploy before")); got != "no deploy before" {
		t.Errorf("the page says %q", got)
	}
}
