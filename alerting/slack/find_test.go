package slack_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// memory is a State.
type memory map[string]string

func (m memory) GetStr(key string) (string, bool) { v, ok := m[key]; return v, ok }
func (m memory) SetStr(key, value string)         { m[key] = value }

// process is the channel as one process has it: another process remembers
// nothing of it but what State kept.
func process(t *testing.T, fake *fakeslack.Server, target string) (alerting.Notifier, *prometheus.Registry) {
	t.Helper()
	config := slack.DefaultConfig()
	config.Token, config.APIURL, config.Interval = "xoxb-test", fake.APIURL(), 0
	registry := prometheus.NewRegistry()
	channel, err := slack.New(config, registry)
	if err != nil {
		t.Fatal(err)
	}
	return channel.Notifier(plumbline.OwnerEntry{SlackChannel: target}), registry
}

func start(t *testing.T) *fakeslack.Server {
	t.Helper()
	fake, err := fakeslack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	return fake
}

func firing(incident string) alerting.Text {
	return alerting.Text{
		Incident: incident, Status: alerting.StatusFiring, Severity: plumbline.SeverityPage, Model: "fare", SLO: "right",
		Name: "SLOBurn", Summary: "fare is wrong", Since: time.Now().Add(-time.Minute), At: time.Now(),
	}
}

func over(text alerting.Text) alerting.Text {
	text.Status, text.Until = alerting.StatusResolved, time.Now()
	return text
}

func tell(t *testing.T, n alerting.Notifier, text alerting.Text, state memory) {
	t.Helper()
	if result, err := n.Notify(t.Context(), alerting.Notice{Text: text, State: state}); err != nil || !result.Sent {
		t.Fatalf("notify %s: %+v, %v", text.Incident, result, err)
	}
}

// A process posts and is killed before the notification log has it: the next
// one, which knows nothing, finds the message and goes on with it.
func TestALostSendIsFoundAgain(t *testing.T) {
	for _, target := range []string{"#flights", "CFLIGHTS"} {
		t.Run(target, func(t *testing.T) {
			fake := start(t)
			first, _ := process(t, fake, target)
			tell(t, first, firing("a"), memory{})
			tell(t, first, firing("b"), memory{})

			second, registry := process(t, fake, target)
			state := memory{}
			tell(t, second, firing("a"), state)
			roots := fake.Roots()
			if len(roots) != 2 {
				t.Fatalf("%d roots, want the two that were posted", len(roots))
			}
			if len(fake.Thread(roots[0].TS)) != 0 || roots[0].Updates != 1 || roots[1].Updates != 0 {
				t.Errorf("found again is not new: %+v", fake.Messages())
			}
			tell(t, second, over(firing("a")), state)
			if roots := fake.Roots(); len(roots) != 2 || !strings.Contains(roots[0].Text, "RESOLVED") || strings.Contains(roots[1].Text, "RESOLVED") {
				t.Errorf("the end did not reach the message: %+v", roots)
			}
			if got := value(t, registry, "plumbline_alerting_slack_adopted_total"); got != 1 {
				t.Errorf("adopted %v, want 1", got)
			}
		})
	}
}

// A process changes the root and replies, and is killed before that is written
// down: the next one says nothing twice, and what is new once.
func TestALostReplyIsNotRepeated(t *testing.T) {
	fake := start(t)
	first, _ := process(t, fake, "#flights")
	state := memory{}
	ticket := firing("a")
	ticket.Severity = plumbline.SeverityTicket
	tell(t, first, ticket, state)
	written := maps.Clone(state)
	tell(t, first, firing("a"), state)

	second, _ := process(t, fake, "#flights")
	again := func(text alerting.Text, state memory) {
		t.Helper()
		if result, err := second.Notify(t.Context(), alerting.Notice{Text: text, State: state, MaybeTold: true}); err != nil || !result.Sent {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	state = maps.Clone(written)
	again(firing("a"), state)
	root := fake.Roots()[0].TS
	if thread := fake.Thread(root); len(thread) != 1 {
		t.Fatalf("the thread says it again: %+v", thread)
	}
	before := maps.Clone(state)
	again(over(firing("a")), state)
	again(over(firing("a")), before)
	if thread := fake.Thread(root); len(thread) != 2 || !strings.Contains(thread[1].Text, "Resolved") {
		t.Errorf("the end is not said once: %+v", thread)
	}
	if len(fake.Roots()) != 1 {
		t.Errorf("%d roots, want 1", len(fake.Roots()))
	}
}

// broadcasts lists the replies that a whole channel sees.
func broadcasts(t *testing.T, fake *fakeslack.Server) []string {
	t.Helper()
	var texts []string
	for _, r := range fake.Requests() {
		form, err := url.ParseQuery(string(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		if form.Get("reply_broadcast") == "true" {
			texts = append(texts, form.Get("text"))
		}
	}
	return texts
}

// The end of a page is told, the process killed before that is written down, and the
// page fires again: the root says so, and the channel hears of it, once, whatever
// becomes of the first try, and when it is due as a repeat as well. A process that was
// killed without having told anything says nothing twice.
func TestAPageAfterALostEndIsHeard(t *testing.T) {
	ticket := firing("a")
	ticket.Severity = plumbline.SeverityTicket
	for name, c := range map[string]struct {
		lost   alerting.Text
		repeat bool
		says   string
	}{
		"end": {over(firing("a")), false, "PAGE"}, "end, repeat due": {over(firing("a")), true, "Still firing"},
		"fall-back": {ticket, false, "PAGE"}, "fall-back, repeat due": {ticket, true, "Still firing"},
	} {
		for fault, play := range map[string]fakehttp.Fault{"": {}, "refused": {Status: http.StatusServiceUnavailable}, "cut": {CutAfter: true}} {
			t.Run(name+"/"+fault, func(t *testing.T) {
				fake := start(t)
				first, _ := process(t, fake, "#flights")
				state := memory{}
				tell(t, first, firing("a"), state)
				tell(t, first, c.lost, maps.Clone(state))

				second, _ := process(t, fake, "#flights")
				again := alerting.Notice{Text: firing("a"), State: state, Repeat: c.repeat, MaybeTold: true}
				if fault == "" {
					again.State = maps.Clone(state) // its record is lost as well
				}
				play.Path = "chat.postMessage"
				fake.Fail(play)
				result, err := second.Notify(t.Context(), again)
				if (err == nil) != (fault == "") || err != nil && !result.Retry {
					t.Fatalf("%+v, %v", result, err)
				}
				for range 2 { // the retry, and another process that knows no more
					again.State = maps.Clone(state)
					if result, err := second.Notify(t.Context(), again); err != nil || !result.Sent {
						t.Fatalf("%+v, %v", result, err)
					}
				}
				root := fake.Roots()[0]
				thread, heard := fake.Thread(root.TS), broadcasts(t, fake)
				if !strings.Contains(root.Text, "PAGE") || len(thread) != 2 || !strings.HasPrefix(thread[1].Text, c.says) || len(heard) == 0 || heard[0] != thread[1].Text {
					t.Errorf("%s, thread %+v, heard %q", root.Text, thread, heard)
				}
			})
		}
	}
}

// A repeat whose answer is cut off stands once, and the next one stands as well.
func TestACutRepeatStandsOnce(t *testing.T) {
	fake := start(t)
	n, _ := process(t, fake, "#flights")
	state := memory{}
	tell(t, n, firing("a"), state)
	for want := 1; want <= 2; want++ {
		fake.Fail(fakehttp.Fault{Path: "chat.postMessage", CutAfter: true})
		repeat := alerting.Notice{Text: firing("a"), State: state, Repeat: true}
		if result, err := n.Notify(t.Context(), repeat); err == nil || !result.Retry {
			t.Fatalf("the cut was not seen: %+v, %v", result, err)
		}
		repeat.MaybeTold = true
		if result, err := n.Notify(t.Context(), repeat); err != nil || !result.Sent {
			t.Fatalf("%+v, %v", result, err)
		}
		if thread := fake.Thread(fake.Roots()[0].TS); len(thread) != want || !strings.HasPrefix(thread[want-1].Text, "Still firing") {
			t.Errorf("repeat %d: %+v", want, thread)
		}
	}
}

// The send was delivered, its record lost, and the incident over when the next
// process came: the message is ended, and the thread says so.
func TestALostSendIsEnded(t *testing.T) {
	fake := start(t)
	first, _ := process(t, fake, "#flights")
	tell(t, first, firing("a"), memory{})
	second, _ := process(t, fake, "#flights")
	if result, err := second.Notify(t.Context(), alerting.Notice{Text: over(firing("a")), State: memory{}, MaybeTold: true}); err != nil || !result.Sent {
		t.Fatalf("%+v, %v", result, err)
	}
	root := fake.Roots()[0]
	if thread := fake.Thread(root.TS); !strings.Contains(root.Text, "RESOLVED") || len(thread) != 1 || !strings.Contains(thread[0].Text, "Resolved") {
		t.Errorf("%+v, thread %+v", root, thread)
	}
}

// A channel may be that of several receivers, as of an owner and of whom the owner's
// pages escalate to: whoever is told later is told by a message of their own. Each finds
// it again after a crash, and ends what an older version left, which named nobody.
func TestReceiversOfAChannelHaveAMessageEach(t *testing.T) {
	const owner, manager, nobody = "owner/a", "escalation/a/b", ""
	ticketed := func(text alerting.Text) alerting.Text { text.Severity = plumbline.SeverityTicket; return text }
	for name, c := range map[string]struct {
		before []string // who was told when it began, in this order
		tells  string
		text   func(alerting.Text) alerting.Text
		roots  int
		takes  int // the root that is taken up, from 1
	}{
		"the first":                          {nil, owner, nil, 1, 0},
		"whom it escalates to":               {[]string{owner}, manager, nil, 2, 0},
		"their own, after a crash":           {[]string{owner, manager}, manager, nil, 2, 2},
		"their own, which is the older":      {[]string{owner, manager}, owner, nil, 2, 1},
		"a ticket, after a crash":            {[]string{owner, manager}, owner, ticketed, 2, 1},
		"an older version's":                 {[]string{nobody}, manager, nil, 2, 0},
		"the end of an older version's":      {[]string{nobody}, owner, over, 1, 1},
		"the end of their own":               {[]string{nobody, owner}, owner, over, 2, 2},
		"the end, of which another was told": {[]string{owner}, manager, over, 1, 0},
		"where nobody is named":              {[]string{nobody}, nobody, nil, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fake := start(t)
			first, _ := process(t, fake, "#shared")
			for _, receiver := range c.before {
				if result, err := first.Notify(t.Context(), alerting.Notice{Text: firing("a"), Receiver: receiver, State: memory{}}); err != nil || !result.Sent {
					t.Fatalf("%+v, %v", result, err)
				}
			}
			text := firing("a")
			if c.text != nil {
				text = c.text(text)
			}
			second, _ := process(t, fake, "#shared")
			if _, err := second.Notify(t.Context(), alerting.Notice{Text: text, Receiver: c.tells, State: memory{}, MaybeTold: true}); err != nil {
				t.Fatal(err)
			}
			roots := fake.Roots()
			if len(roots) != c.roots {
				t.Fatalf("%d roots, want %d", len(roots), c.roots)
			}
			for i, r := range roots {
				if taken := i+1 == c.takes; (r.Updates > 0) != taken {
					t.Errorf("root %d was changed %d times", i+1, r.Updates)
				}
			}
		})
	}
}

// A channel is renamed and its name given to another: from the first message there on,
// what was lost is looked for where messages go.
func TestANameThatBecomesAnotherChannels(t *testing.T) {
	fake := start(t)
	n, _ := process(t, fake, "#flights")
	tell(t, n, firing("a"), memory{})
	tell(t, n, firing("b"), memory{}) // it knows the channel
	fake.Fail(fakehttp.Fault{Path: "chat.postMessage", Status: http.StatusOK, Body: `{"ok":true,"channel":"CANOTHER","ts":"1.000001"}`})
	tell(t, n, firing("c"), memory{})

	lost, _ := process(t, fake, "CANOTHER")
	tell(t, lost, firing("d"), memory{})
	state := memory{}
	tell(t, n, firing("d"), state)
	if roots := fake.Roots(); len(roots) != 3 || state["slack_channel"] != "CANOTHER" {
		t.Errorf("%d roots, want a, b and d; d is in %s", len(roots), state["slack_channel"])
	}
}

// An incident that is over is not the one that begins now.
func TestAnEndedIncidentIsNotReopened(t *testing.T) {
	fake := start(t)
	first, _ := process(t, fake, "#flights")
	state := memory{}
	tell(t, first, firing("a"), state)
	tell(t, first, over(firing("a")), state)
	second, _ := process(t, fake, "#flights")
	tell(t, second, firing("a"), memory{})
	if n := len(fake.Roots()); n != 2 {
		t.Errorf("%d roots, want one for each incident", n)
	}
}

// A send whose answer was cut off is found by the retry, in the same process.
func TestACutAnswerIsFoundByTheRetry(t *testing.T) {
	fake := start(t)
	n, _ := process(t, fake, "#flights")
	fake.Fail(fakehttp.Fault{Path: "chat.postMessage", CutAfter: true})
	state := memory{}
	if result, err := n.Notify(t.Context(), alerting.Notice{Text: firing("a"), State: state}); err == nil || !result.Retry {
		t.Fatalf("the cut was not seen: %+v, %v", result, err)
	}
	tell(t, n, firing("a"), state)
	if n := len(fake.Roots()); n != 1 {
		t.Errorf("%d roots, want 1", n)
	}
}

// The lost message is on the third page of a busy channel's history.
func TestASearchTurnsPages(t *testing.T) {
	fake := start(t)
	first, _ := process(t, fake, "#flights")
	tell(t, first, firing("lost"), memory{})
	for range 120 {
		if _, err := http.PostForm(fake.APIURL()+"chat.postMessage", map[string][]string{"token": {"x"}, "channel": {"#flights"}, "text": {"chatter"}}); err != nil {
			t.Fatal(err)
		}
	}
	second, _ := process(t, fake, "#flights")
	tell(t, second, firing("lost"), memory{})
	if n := len(fake.Roots()); n != 121 {
		t.Errorf("%d roots, want 121", n)
	}
}

// A search that may succeed later is made again; one that Slack refuses for good
// is counted, and the page goes out.
func TestASearchThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		fault fakehttp.Fault
		retry bool
	}{
		"500":                 {fakehttp.Fault{Status: http.StatusInternalServerError}, true},
		"cut":                 {fakehttp.Fault{Cut: true}, true},
		"429 for a second":    {fakehttp.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Second}, true},
		"429 for an hour":     {fakehttp.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Hour}, false},
		"no scope":            {fakehttp.Fault{Status: http.StatusOK, Body: `{"ok":false,"error":"missing_scope"}`}, false},
		"not in the channel":  {fakehttp.Fault{Status: http.StatusOK, Body: `{"ok":false,"error":"not_in_channel"}`}, false},
		"403 of a middlebox":  {fakehttp.Fault{Status: http.StatusForbidden}, false},
		"busy within the API": {fakehttp.Fault{Status: http.StatusOK, Body: `{"ok":false,"error":"internal_error"}`}, true},
	} {
		t.Run(name, func(t *testing.T) {
			fake := start(t)
			n, registry := process(t, fake, "CFLIGHTS")
			c.fault.Path = "conversations.history"
			fake.Fail(c.fault)
			result, err := n.Notify(t.Context(), alerting.Notice{Text: firing("a"), State: memory{}})
			if c.retry {
				if err == nil || !result.Retry || len(fake.Roots()) != 0 {
					t.Errorf("%+v, %v, %d roots", result, err, len(fake.Roots()))
				}
				return
			}
			if err != nil || !result.Sent || len(fake.Roots()) != 1 || value(t, registry, "plumbline_alerting_slack_search_failures_total") != 1 {
				t.Errorf("%+v, %v, %d roots", result, err, len(fake.Roots()))
			}
		})
	}
}

// Slack asks not to be searched for an hour: the pages of that hour go out
// unsearched, and none waits for it.
func TestPagesDoNotWaitForALongRetryAfter(t *testing.T) {
	fake := start(t)
	n, registry := process(t, fake, "CFLIGHTS")
	fake.Fail(fakehttp.Fault{Path: "conversations.history", Status: http.StatusTooManyRequests, RetryAfter: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, incident := range []string{"a", "b", "c"} {
		result, err := n.Notify(ctx, alerting.Notice{Text: firing(incident), State: memory{}, MaybeTold: true})
		if err != nil || !result.Sent {
			t.Errorf("%s: %+v, %v", incident, result, err)
		}
	}
	if roots, unsearched := len(fake.Roots()), value(t, registry, "plumbline_alerting_slack_search_failures_total"); roots != 3 || unsearched != 3 {
		t.Errorf("%d roots, %v of them unsearched, want 3", roots, unsearched)
	}
}

// Somebody else's metadata and messages that cannot be changed do not hold a
// page up.
func TestMetadataOfOthers(t *testing.T) {
	fake := start(t)
	for _, metadata := range []string{
		`{"event_type":"deploy","event_payload":{"incident":"a","status":"firing"}}`,
		`{"event_type":"plumbline_incident","event_payload":{"incident":7,"status":[]}}`,
		`{"event_type":"plumbline_incident","event_payload":null}`,
	} {
		if _, err := http.PostForm(fake.APIURL()+"chat.postMessage", map[string][]string{
			"token": {"x"}, "channel": {"#flights"}, "text": {"x"}, "metadata": {metadata},
		}); err != nil {
			t.Fatal(err)
		}
	}
	n, _ := process(t, fake, "#flights")
	tell(t, n, firing("a"), memory{})
	if n := len(fake.Roots()); n != 4 {
		t.Errorf("%d roots, want 4", n)
	}

	forged := `{"event_type":"plumbline_incident","event_payload":{"incident":"b","status":"firing"}}`
	if _, err := http.PostForm(fake.APIURL()+"chat.postMessage", map[string][]string{
		"token": {"x"}, "channel": {"#flights"}, "text": {"x"}, "metadata": {forged},
	}); err != nil {
		t.Fatal(err)
	}
	fake.Fail(fakehttp.Fault{Path: "chat.update", Status: http.StatusOK, Body: `{"ok":false,"error":"cant_update_message"}`})
	tell(t, n, firing("b"), memory{})
	if n := len(fake.Roots()); n != 6 {
		t.Errorf("%d roots, want 6", n)
	}
}

// Many incidents that begin at once share searches, and each gets its own root.
func TestIncidentsThatBeginAtOnce(t *testing.T) {
	fake := start(t)
	first, _ := process(t, fake, "CFLIGHTS")
	tell(t, first, firing("0"), memory{})
	second, _ := process(t, fake, "CFLIGHTS")
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			text := firing(string(rune('0' + i)))
			if result, err := second.Notify(t.Context(), alerting.Notice{Text: text, State: memory{}}); err != nil || !result.Sent {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
	wg.Wait()
	if n := len(fake.Roots()); n != 40 {
		t.Errorf("%d roots, want 40", n)
	}
}

// Somebody takes the incident: the message, its buttons and the thread say so.
func TestAnAcknowledgementIsShown(t *testing.T) {
	fake := start(t)
	n, _ := process(t, fake, "#flights")
	state, text := memory{}, firing("a")
	tell(t, n, text, state)
	text.Acked = &alerting.Ack{By: "ann <!here>", At: noon}
	tell(t, n, text, state)
	root := fake.Roots()[0]
	if !strings.Contains(string(root.Blocks), "Taken by") || strings.Contains(string(root.Blocks), "<!here>") {
		t.Errorf("the message does not say who: %s", root.Blocks)
	}
	if thread := fake.Thread(root.TS); len(thread) != 1 || !strings.Contains(thread[0].Text, "Taken by `ann &lt;!here&gt;`") {
		t.Errorf("the thread: %+v", thread)
	}
}

func value(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
