package timeline

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Markdown writes the timeline as the beginning of a post-mortem.
func (t Timeline) Markdown(out io.Writer, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Incident %s: %s\n\n", plain(t.Incident), plain(t.About()))
	table := [][2]string{
		{"Status", t.Status()}, {"Level", t.Severity}, {"Owner", t.Owner},
		{"Opened", clock(t.Opened)}, {"Became a page", clock(t.Escalated)},
		{"Acknowledged", t.acknowledged()}, {"Resolved", clock(t.Resolved)}, {"Lasted", t.lasted(now)},
		{"Training set", t.DatasetHash}, {"Feature job", t.FeatureJob},
	}
	b.WriteString("| | |\n|---|---|\n")
	for _, row := range table {
		if row[1] != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", row[0], plain(row[1]))
		}
	}
	fmt.Fprintf(&b, "\n## Timeline\nFrom %s before it opened to %s after its end; times are UTC.\n\n| time | what | |\n|---|---|---|\n", words(before), words(after))
	for _, e := range t.Entries {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", clock(e.At), e.Kind, plain(e.Text))
	}
	if len(t.Related) > 0 {
		b.WriteString("\n## At the same time\nIncidents of the same model, training set or feature job.\n\n| incident | about | level | opened | resolved |\n|---|---|---|---|---|\n")
		for _, r := range t.Related {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", plain(r.Incident), plain(r.About), plain(r.Severity), clock(r.Opened), clock(r.Resolved))
		}
	}
	b.WriteString("\n## To be written\n- What users noticed\n- Why it happened\n- What was lucky\n- What is to be done, by whom, until when\n")
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write timeline: %w", err)
	}
	return nil
}

func (t Timeline) acknowledged() string {
	if t.Acknowledged.IsZero() {
		return ""
	}
	from := t.Opened
	if !t.Escalated.IsZero() {
		from = t.Escalated
	}
	return fmt.Sprintf("%s by %s, after %s", clock(t.Acknowledged), t.AcknowledgedBy, words(t.Acknowledged.Sub(from)))
}

func (t Timeline) lasted(now time.Time) string {
	if t.Resolved.IsZero() {
		return words(now.Sub(t.Opened)) + " so far"
	}
	return words(t.Resolved.Sub(t.Opened))
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// words says a length of time to the second.
func words(d time.Duration) string { return d.Round(time.Second).String() }

// plain makes a name or a sentence harmless inside a Markdown table: producers
// chose what is in it.
func plain(text string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(text), " ") {
		if strings.ContainsRune("\\`*_{}[]<>#|~!@&", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
