package rules

import (
	"strconv"
	"strings"
)

// Names of models, deploys and SLOs come from files and producers. They reach
// generated text through one function per language, all of them here.

// promString quotes a name for PromQL, whose double-quoted strings take Go's
// escapes.
func promString(s string) string { return strconv.Quote(s) }

// templateText makes a name safe to stand in an annotation or label, which
// Prometheus expands as a Go template.
func templateText(s string) string {
	if !strings.Contains(s, "{{") {
		return s
	}
	return "{{ " + strconv.Quote(s) + " }}"
}

// sqlLabel is the template that expands to a label's value as a ClickHouse
// string literal: backslash and quote are escaped with a backslash.
func sqlLabel(label string) string {
	return "'{{ reReplaceAll `([\\\\'])` `\\$1` $labels." + label + " }}'"
}

// urlLabel is the template that expands to a label's value escaped for a URL's
// query.
func urlLabel(label string) string { return "{{ urlquery $labels." + label + " }}" }
