package slack

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/plumbline-slo/plumbline/alerting"
)

// Slack's limits in characters (https://docs.slack.dev/reference/block-kit/blocks)
// and ours: what a reader sees without scrolling.
const (
	maxHeader  = 150
	maxSection = 3000
	maxScreen  = 2500
	// maxButtons is the room that the labels of the buttons take.
	maxButtons = 60

	maxStatement = 700

	maxFacts = 1300
	maxWhy   = 800
)

// sqlElsewhere stands for a statement that does not fit on the first screen.
const sqlElsewhere = "The SQL statement that returns the number is in the thread."

// Bounds of one quoted name and sentence, in characters before escaping.
const (
	maxName     = 80
	maxSentence = 200
)

// quoter is the one place where names and sentences of others become Slack
// markup. Escaped &, < and > make mentions and links impossible; a name stands
// in code quotes, where nothing else is markup either.
type quoter struct{}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Name returns the name as code.
func (quoter) Name(name string) string {
	clean := strings.ReplaceAll(cut(alerting.Clean(name), maxName), "`", "'")
	if clean == "" {
		clean = "(none)"
	}
	return "`" + escaper.Replace(clean) + "`"
}

// Sentence returns the text without its own markup: besides &, < and > the
// characters that make bold, italic, strike-through and code are replaced by
// lookalikes.
func (quoter) Sentence(text string) string {
	return unmark.Replace(escaper.Replace(cut(alerting.Clean(text), maxSentence)))
}

// unmark keeps underscores: within a word they are no markup, and names of
// features and rules are full of them.
var unmark = strings.NewReplacer("*", "∗", "`", "'", "~", "∼")

// headQuoter quotes for a header, which is plain text: no markup, no code.
type headQuoter struct{}

func (headQuoter) Name(name string) string     { return cut(alerting.Clean(name), maxName) }
func (headQuoter) Sentence(text string) string { return cut(alerting.Clean(text), maxSentence) }

func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// Blocks lays the text out in Block Kit: the headline, the numbers, the cause,
// where to look next, the SQL statement, the buttons.
func Blocks(t alerting.Text, buttons Buttons) []slack.Block {
	blocks, _ := layout(t)
	if row := buttons.row(t); row != nil {
		blocks = append(blocks, row)
	}
	return blocks
}

// layout also returns the SQL statement if it did not fit on the first screen;
// it then belongs in the thread.
func layout(t alerting.Text) (blocks []slack.Block, sql string) {
	var q quoter
	head := headline(t)
	blocks = []slack.Block{slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, head, false, false))}
	seen := utf8.RuneCountInString(head)
	add := func(text string) {
		if text != "" {
			blocks = append(blocks, section(text))
			seen += utf8.RuneCountInString(text)
		}
	}
	add(t.Opening(q))
	add(fit(t.Statement(q), maxStatement))
	var facts []string
	for _, f := range t.Facts(q) {
		facts = append(facts, fmt.Sprintf("*%s*  %s", f.Label, f.Value))
	}
	add(fit(facts, maxFacts))
	var links []string
	for _, l := range t.Links {
		seen += len(l.Name) + len(" · ")
		links = append(links, fmt.Sprintf("<%s|%s>", strings.ReplaceAll(l.URL, "&", "&amp;"), escaper.Replace(l.Name)))
	}
	if why := t.Why(q); len(why) > 0 {
		for i := range why {
			why[i] = "• " + why[i]
		}
		add(fit(append([]string{"*Why*"}, why...), min(maxWhy, maxScreen-maxButtons-len(sqlElsewhere)-seen)))
	}
	if line := strings.Join(links, " · "); line != "" && len(line) <= maxSection {
		blocks = append(blocks, section(line))
	}
	if t.SQL == "" {
		return blocks, ""
	}
	code := codeBlock(t.SQL)
	if seen+utf8.RuneCountInString(code) > maxScreen-maxButtons {
		add(sqlElsewhere)
		return blocks, t.SQL
	}
	add(code)
	return blocks, ""
}

// headline begins with the level, which is all that a phone may show.
func headline(t alerting.Text) string {
	sign := map[string]string{"PAGE": "🔴", "TICKET": "🟡", "RESOLVED": "🟢"}[t.Level()]
	if t.Ending == alerting.EndingUnsaid || t.Ending == alerting.EndingElsewhere {
		sign = "⚪" // not known to be well
	}
	return escapeHead(fmt.Sprintf("%s %s: %s", sign, t.Level(), t.Headline(headQuoter{})))
}

// escapeHead escapes and cuts without cutting an escape sequence in two.
func escapeHead(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		next := escaper.Replace(string(r))
		if n += utf8.RuneCountInString(next); n > maxHeader-1 {
			b.WriteString("…")
			break
		}
		b.WriteString(next)
	}
	return b.String()
}

// fit joins the lines that fit into the limit, whole lines only: a line cut in
// two could end within an escape sequence or a code quote. One that is too long
// does not hide those behind it.
func fit(lines []string, limit int) string {
	var b strings.Builder
	left := ""
	for _, line := range lines {
		if utf8.RuneCountInString(b.String())+utf8.RuneCountInString(line)+2 > limit {
			left = "…"
			continue
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String()+left, "\n")
}

func codeBlock(code string) string {
	return "```\n" + escaper.Replace(strings.ReplaceAll(alerting.CleanLines(code), "```", "'''")) + "\n```"
}

// section is verbatim: Slack shall not make links of what looks like one.
func section(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, true), nil, nil)
}

// message is what post and update have in common.
func message(t alerting.Text, buttons Buttons, receiver string) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(headline(t), false),
		slack.MsgOptionBlocks(Blocks(t, buttons)...), metadata(t, receiver),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

// replies returns what belongs in the thread now, and whether the whole channel
// shall see it: an escalation, or a page that somebody took and that fires again,
// since a root message changed in place notifies nobody.
func replies(notice alerting.Notice, text, before alerting.Text, update bool) (replies []string, broadcast bool) {
	var q quoter
	if update {
		broadcast = text.Pages() && (before.Level() == "TICKET" || before.Acked != nil && text.Acked == nil)
		replies = append(replies, history(notice, text, before, q))
	}
	if _, sql := layout(text); sql != "" && sql != before.SQL {
		// A statement too long for one message is cut: it is there to be read,
		// and the page and the dashboard have it whole.
		const fences, cutMark = 20, "\n-- cut"
		if code := codeBlock(sql); utf8.RuneCountInString(code) <= maxSection {
			replies = append(replies, code)
		} else {
			// Escaping makes at most five characters of one.
			replies = append(replies, codeBlock(cut(alerting.CleanLines(sql), (maxSection-fences-len(cutMark))/5)+cutMark))
		}
	}
	return replies, broadcast
}

func history(notice alerting.Notice, text, before alerting.Text, q quoter) string {
	switch {
	case text.Status == alerting.StatusResolved:
		return "Resolved: " + text.Headline(q) + "."
	case notice.Repeat && text.SameConditions(before):
		return "Still firing: " + text.Headline(q) + "."
	case text.Acked != nil && (before.Acked == nil || before.Acked.By != text.Acked.By):
		return "Taken by " + q.Name(text.Acked.By) + "."
	}
	if easing := text.Easing(before, q); easing != "" {
		return easing
	}
	return text.Level() + ": " + text.Headline(q) + "."
}
