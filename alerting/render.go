package alerting

import (
	"fmt"
	"strings"
)

// Quoter makes what others wrote harmless on one channel.
type Quoter interface {
	// Name quotes a name that a producer chose: a model, a deploy, a feature.
	Name(name string) string
	// Sentence quotes free text.
	Sentence(text string) string
}

// PlainQuoter cleans and quotes nothing: for a terminal, a log, PagerDuty.
type PlainQuoter struct{}

// Name returns the cleaned name.
func (PlainQuoter) Name(name string) string { return Clean(name) }

// Sentence returns the cleaned text.
func (PlainQuoter) Sentence(text string) string { return Clean(text) }

// Fact is one line of a page.
type Fact struct{ Label, Value string }

// Headline says in one sentence what is wrong.
func (t Text) Headline(q Quoter) string {
	if t.Service() {
		return t.serviceHeadline(q)
	}
	model, slo := q.Name(string(t.Model)), q.Name(string(t.SLO))
	if t.Status == StatusResolved && t.SLO == "" {
		return fmt.Sprintf("%s: %s is over", model, q.Name(t.Name))
	}
	if t.Status == StatusResolved {
		switch t.Ending {
		case EndingKnown:
			return fmt.Sprintf("%s: something is known of %s again", model, slo)
		case EndingUnsaid:
			return fmt.Sprintf("%s: nothing is said of %s any more, its rule is gone or is not evaluated", model, slo)
		case EndingElsewhere:
			return fmt.Sprintf("%s: %s goes on with another owner", model, slo)
		}
		return fmt.Sprintf("%s is back within %s", model, slo)
	}
	if rate, ok := t.Rate(); ok {
		return fmt.Sprintf("%s burns the error budget of %s %s times too fast", model, slo, number(rate))
	}
	if t.Summary != "" && strings.HasPrefix(t.Summary, string(t.Model)) {
		return q.Sentence(t.Summary)
	}
	if t.Summary != "" {
		return model + ": " + q.Sentence(t.Summary)
	}
	return fmt.Sprintf("%s: %s fires on %s", model, q.Name(t.Name), slo)
}

// serviceHeadline begins with who speaks: there is no model to begin with.
func (t Text) serviceHeadline(q Quoter) string {
	about := q.Sentence(t.Name)
	if t.Object != "" {
		about += " of " + q.Name(t.Object)
	}
	switch {
	case t.Status == StatusResolved:
		return fmt.Sprintf("Plumbline: %s is over", about)
	case t.Summary != "":
		return "Plumbline: " + q.Sentence(t.Summary)
	}
	return "Plumbline: " + about
}

// Statement returns the lines of the rule's description, unless numbers say the
// same: a burn's description tells in a sentence the facts that follow. What is
// over needs it no more.
func (t Text) Statement(q Quoter) []string {
	if _, burns := t.Rate(); burns || t.Description == "" || t.Status == StatusResolved {
		return nil
	}
	var lines []string
	for _, line := range strings.Split(CleanLines(t.Description), "\n") {
		if line = q.Sentence(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// Opening is the rule's summary, if the headline does not say it already.
func (t Text) Opening(q Quoter) string {
	if _, burns := t.Rate(); !burns && (t.Status == StatusFiring || t.Service()) {
		return ""
	}
	return q.Sentence(t.Summary)
}

// Level is PAGE, TICKET or RESOLVED.
func (t Text) Level() string {
	switch {
	case t.Status == StatusResolved:
		return "RESOLVED"
	case t.Pages():
		return "PAGE"
	}
	return "TICKET"
}

// Facts returns what is wrong, since when and for how long, in numbers.
func (t Text) Facts(q Quoter) []Fact {
	var facts []Fact
	add := func(label, value string) {
		if value != "" {
			facts = append(facts, Fact{label, value})
		}
	}
	if !t.Service() {
		add("Model", q.Name(string(t.Model)))
	} else if t.Object != "" {
		add("Object", q.Name(t.Object))
	}
	add("Deploy", t.deployWords(q))
	for i, b := range t.Burns {
		label := "Burning"
		if t.Status == StatusResolved {
			label = "Burned"
		}
		if i > 0 {
			label = "and"
		}
		add(label, b.words(q))
	}
	if t.Status == StatusFiring {
		add("Counted", t.countWords(q))
		add("Not known", q.Sentence(t.Unknown))
	}
	if t.Status == StatusResolved {
		add("From", fmt.Sprintf("%s to %s (%s)", clock(t.Since), clock(t.Until), span(t.Until.Sub(t.Since))))
	} else {
		add("Alert since", fmt.Sprintf("%s (for %s)", clock(t.Since), span(t.At.Sub(t.Since))))
		if left, ok := t.Exhaustion(); ok {
			add("Budget", left.words(q, t.Period))
		}
		if t.Acked != nil {
			add("Taken by", fmt.Sprintf("%s at %s", q.Name(t.Acked.By), clock(t.Acked.At)))
		}
	}
	if c := t.Quality; c != nil {
		add("Quality", fmt.Sprintf("%s %s%s → %s%s", q.Sentence(c.Measure),
			percent(c.Before), inBrackets(q, c.BeforeWhat), percent(c.After), inBrackets(q, c.AfterWhat)))
	}
	if t.Coverage != "" {
		add("Labels in", t.Coverage)
	}
	owner := q.Name(string(t.Owner))
	if t.Team != "" {
		owner += " (" + q.Sentence(t.Team) + ")"
	}
	if t.Owner != "" {
		add("Owner", owner)
	}
	return facts
}

func (t Text) deployWords(q Quoter) string {
	if t.Deploy == "" {
		return "" // the alert is about the model as a whole
	}
	var more []string
	add := func(word, value string) {
		if value != "" {
			more = append(more, word+q.Sentence(value))
		}
	}
	add("version ", t.Info.Version)
	add("commit ", t.Info.Commit)
	add("by ", t.Info.By)
	if !t.Info.At.IsZero() {
		more = append(more, "at "+clock(t.Info.At))
	}
	if t.Info.Previous != "" {
		more = append(more, "after "+q.Name(string(t.Info.Previous)))
	}
	words := q.Name(string(t.Deploy))
	if len(more) > 0 {
		words += " (" + strings.Join(more, ", ") + ")"
	}
	return words
}

func inBrackets(q Quoter, what string) string {
	if what == "" {
		return ""
	}
	return " (" + q.Sentence(what) + ")"
}

// words tells a condition: which number, over which windows, beyond what.
func (b Burn) words(q Quoter) string {
	var parts []string
	long, short, pair := strings.Cut(b.Windows, "/")
	pair = pair && b.Long.OK && b.Short.OK
	bad := " bad"
	switch {
	case b.Value.OK && b.AtLeast:
		parts, bad = append(parts, "at least "+percent(b.Value.V)+" bad"), ""
	case b.Value.OK && !(pair && b.Value.V == b.Long.V):
		parts, bad = append(parts, percent(b.Value.V)+" bad"), ""
	}
	if pair {
		parts = append(parts, fmt.Sprintf("%s%s over %s", percent(b.Long.V), bad, q.Sentence(long)), fmt.Sprintf("%s over %s", percent(b.Short.V), q.Sentence(short)))
	} else if b.Windows != "" {
		parts = append(parts, "over "+q.Sentence(b.Windows))
	}
	if b.Rate.OK {
		parts = append(parts, number(b.Rate.V)+" times too fast")
	}
	if len(parts) == 0 {
		return "" // nothing burns: of an SLO of which nothing is known only the target is
	}
	var limits []string
	if b.Threshold.OK {
		limits = append(limits, b.Severity+" above "+percent(b.Threshold.V))
	}
	if b.Target.OK {
		limits = append(limits, "target "+percent(b.Target.V)+" good")
	}
	words := strings.Join(parts, ", ")
	if len(limits) > 0 {
		words = strings.TrimSpace(words + " (" + strings.Join(limits, ", ") + ")")
	}
	return words
}

// Why returns one line for each explaining feature, worst first, and then what
// carries the drift, or the reason why there is none.
func (t Text) Why(q Quoter) []string {
	if t.Missing != "" {
		return []string{"The explanation is missing: " + q.Sentence(t.Missing) + "."}
	}
	if _, burns := t.Rate(); burns && len(t.Features) == 0 && t.Status == StatusFiring {
		found, look := "No feature drifted", "the segments and the deploy"
		if t.NoDrift != "" {
			found = "Drift is not known (" + q.Sentence(t.NoDrift) + ")"
		}
		if t.Coverage != "" {
			look = "the labels, " + look
		}
		return append([]string{found + ": look at " + look + "."}, t.carriers(q)...)
	}
	var lines []string
	for i, f := range t.Features {
		if i == shownFeatures {
			lines = append(lines, fmt.Sprintf("and %d more features", len(t.Features)-i))
			break
		}
		line := fmt.Sprintf("%s: PSI %s", q.Name(string(f.Feature)), number(f.PSI))
		if f.Share > 0 {
			line += fmt.Sprintf(" (%s of the drift)", percent(f.Share))
		}
		if f.Before != "" || f.After != "" {
			line += fmt.Sprintf(", %s → %s", q.Sentence(f.Before), q.Sentence(f.After))
		}
		lines = append(lines, line)
	}
	return append(lines, t.carriers(q)...)
}

// carriers returns what carries the change, the first of it.
func (t Text) carriers(q Quoter) []string {
	var lines []string
	for _, carrier := range t.Carriers[:min(shownCarriers, len(t.Carriers))] {
		lines = append(lines, q.Sentence(carrier))
	}
	return lines
}

// RenderText lays the text out for a terminal, as the person on call reads it.
func RenderText(t Text) string {
	var (
		b strings.Builder
		q PlainQuoter
	)
	fmt.Fprintf(&b, "%s: %s\n\n", t.Level(), t.Headline(q))
	if summary := t.Opening(q); summary != "" {
		fmt.Fprintf(&b, "%s\n", summary)
	}
	if len(t.Statement(q)) > 0 {
		fmt.Fprintf(&b, "%s\n", CleanLines(t.Description))
	}
	for _, f := range t.Facts(q) {
		fmt.Fprintf(&b, "  %-11s %s\n", f.Label, f.Value)
	}
	if why := t.Why(q); len(why) > 0 {
		fmt.Fprintf(&b, "\nWhy\n")
		for _, line := range why {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if len(t.Links) > 0 {
		fmt.Fprintf(&b, "\nWhere to look next\n")
		for _, l := range t.Links {
			fmt.Fprintf(&b, "  %-11s %s\n", l.Name, l.URL)
		}
	}
	if t.SQL != "" {
		fmt.Fprintf(&b, "\nThe same number in SQL\n  %s\n", strings.ReplaceAll(CleanLines(t.SQL), "\n", "\n  "))
	}
	return b.String()
}
