package fakeslack_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

func call(t *testing.T, s *fakeslack.Server, method string, form url.Values) (ok bool, problem, channel, ts string) {
	t.Helper()
	response, err := http.PostForm(s.APIURL()+method, form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		OK                 bool
		Error, Channel, TS string
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.OK, answer.Error, answer.Channel, answer.TS
}

func start(t *testing.T) *fakeslack.Server {
	t.Helper()
	s, err := fakeslack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// section is a block of n characters.
func section(kind string, n int) string {
	return `{"type":"` + kind + `","text":{"type":"mrkdwn","text":"` + strings.Repeat("x", n) + `"}}`
}

func TestLimits(t *testing.T) {
	s := start(t)
	many := strings.TrimSuffix(strings.Repeat(section("section", 1)+",", 51), ",")
	long := strings.TrimSuffix(strings.Repeat(section("section", 2999)+",", 5), ",")
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"fine":        {url.Values{"token": {"x"}, "channel": {"#a"}, "blocks": {"[" + section("section", 3000) + "]"}}, ""},
		"no token":    {url.Values{"channel": {"#a"}, "text": {"x"}}, "not_authed"},
		"no channel":  {url.Values{"token": {"x"}, "text": {"x"}}, "channel_not_found"},
		"nothing":     {url.Values{"token": {"x"}, "channel": {"#a"}}, "no_text"},
		"no JSON":     {url.Values{"token": {"x"}, "channel": {"#a"}, "blocks": {"{"}}, "invalid_blocks"},
		"many blocks": {url.Values{"token": {"x"}, "channel": {"#a"}, "blocks": {"[" + many + "]"}}, "invalid_blocks"},
		"section":     {url.Values{"token": {"x"}, "channel": {"#a"}, "blocks": {"[" + section("section", 3001) + "]"}}, "invalid_blocks"},
		"header":      {url.Values{"token": {"x"}, "channel": {"#a"}, "blocks": {"[" + section("header", 151) + "]"}}, "invalid_blocks"},
		"total":       {url.Values{"token": {"x"}, "channel": {"#a"}, "blocks": {"[" + long + "]"}}, "msg_blocks_too_long"},
	} {
		if ok, problem, _, _ := call(t, s, "chat.postMessage", c.form); problem != c.want || ok != (c.want == "") {
			t.Errorf("%s: ok %t, error %q, want %q", name, ok, problem, c.want)
		}
	}
}

func TestUpdateAndThread(t *testing.T) {
	s := start(t)
	_, _, channel, ts := call(t, s, "chat.postMessage", url.Values{"token": {"x"}, "channel": {"#a"}, "text": {"one"}})
	call(t, s, "chat.postMessage", url.Values{"token": {"x"}, "channel": {channel}, "text": {"reply"}, "thread_ts": {ts}})
	if ok, problem, _, _ := call(t, s, "chat.update", url.Values{"token": {"x"}, "channel": {channel}, "ts": {ts}, "text": {"two"}}); !ok {
		t.Fatalf("update: %s", problem)
	}
	if _, problem, _, _ := call(t, s, "chat.update", url.Values{"token": {"x"}, "channel": {"#a"}, "ts": {ts}, "text": {"two"}}); problem != "message_not_found" {
		t.Errorf("update by name instead of id: %q", problem)
	}
	roots, thread := s.Roots(), s.Thread(ts)
	if len(roots) != 1 || roots[0].Text != "two" || roots[0].Updates != 1 || len(thread) != 1 {
		t.Errorf("roots %+v, thread %+v", roots, thread)
	}
}

func TestFaultsPlayInTheirOrder(t *testing.T) {
	s := start(t)
	form := url.Values{"token": {"x"}, "channel": {"#a"}, "text": {"x"}}
	s.Fail(fakehttp.Fault{Status: http.StatusTooManyRequests, RetryAfter: 3 * time.Second}, fakehttp.Fault{Cut: true}, fakehttp.Fault{CutAfter: true})
	response, err := http.PostForm(s.APIURL()+"chat.postMessage", form)
	if err != nil || response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "3" {
		t.Fatalf("first fault: %v, %v", response, err)
	}
	response.Body.Close()
	for i := range 2 {
		if response, err := http.PostForm(s.APIURL()+"chat.postMessage", form); err == nil {
			response.Body.Close()
			t.Errorf("the connection was not cut, fault %d", i+2)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := s.WaitMessages(ctx, func(m []fakeslack.Message) bool { return len(m) == 1 }); err != nil {
		t.Errorf("cut after the work: %v, %d messages, want the last request's", err, len(s.Messages()))
	}
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d requests recorded, want 3", n)
	}
}
