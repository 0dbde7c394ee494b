package web

import (
	"regexp"
	"strings"
)

// This file reads the part of Markdown that runbooks are written in: headings,
// paragraphs, lists, tables, fenced code; bold, emphasis, code and links. What
// it does not know stays text, and the template escapes all of it.

type blockKind string

const (
	blockHeading   blockKind = "heading"
	blockParagraph blockKind = "paragraph"
	blockBullets   blockKind = "bullets"
	blockNumbers   blockKind = "numbers"
	blockTable     blockKind = "table"
	blockCode      blockKind = "code"
)

// block is one block of a runbook.
type block struct {
	Kind blockKind
	// Level is a heading's, 1 to 6.
	Level int
	// Code is the text of a fence.
	Code string
	// Spans are a heading's or a paragraph's.
	Spans []span
	// Items are those of a list.
	Items [][]span
	// Head and Rows are a table's cells.
	Head [][]span
	Rows [][][]span
}

// span is a piece of a line in one style.
type span struct {
	Text       string
	Code       bool
	Bold, Soft bool
	// Href is where a link leads, empty for what is none.
	Href string
}

var (
	headingLine = regexp.MustCompile(`^(#{1,6}) +(.*)$`)
	bulletLine  = regexp.MustCompile(`^[-*] +(.*)$`)
	numberLine  = regexp.MustCompile(`^\d+[.)] +(.*)$`)
	ruleLine    = regexp.MustCompile(`^\|[ :|-]*-[ :|-]*$`)
	styled      = regexp.MustCompile("`[^`]+`" + `|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\([^)\s]+\)`)
	linked      = regexp.MustCompile(`^\[([^\]]+)\]\(([^)\s]+)\)$`)
)

// markdown splits a runbook into blocks.
func markdown(text string) []block {
	var blocks []block
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for len(lines) > 0 {
		if strings.TrimSpace(lines[0]) == "" {
			lines = lines[1:]
			continue
		}
		b, used := nextBlock(lines)
		blocks, lines = append(blocks, b), lines[used:]
	}
	return blocks
}

// nextBlock reads the block that begins with the first line, and says how many
// lines it is.
func nextBlock(lines []string) (b block, used int) {
	switch first := lines[0]; {
	case strings.HasPrefix(first, "```"):
		return codeBlock(lines)
	case headingLine.MatchString(first):
		parts := headingLine.FindStringSubmatch(first)
		return block{Kind: blockHeading, Level: len(parts[1]), Spans: spansOf(parts[2])}, 1
	case len(lines) > 1 && strings.HasPrefix(first, "|") && ruleLine.MatchString(lines[1]):
		return tableBlock(lines)
	case bulletLine.MatchString(first):
		return listBlock(blockBullets, bulletLine, lines)
	case numberLine.MatchString(first):
		return listBlock(blockNumbers, numberLine, lines)
	}
	used = 1
	for used < len(lines) && !beginsBlock(lines[used]) {
		used++
	}
	return block{Kind: blockParagraph, Spans: spansOf(strings.Join(lines[:used], " "))}, used
}

// beginsBlock reports whether a paragraph or an item ends before the line.
func beginsBlock(line string) bool {
	return strings.TrimSpace(line) == "" || strings.HasPrefix(line, "```") || strings.HasPrefix(line, "|") ||
		headingLine.MatchString(line) || bulletLine.MatchString(line) || numberLine.MatchString(line)
}

func codeBlock(lines []string) (b block, used int) {
	used = 1
	for used < len(lines) && !strings.HasPrefix(lines[used], "```") {
		used++
	}
	b = block{Kind: blockCode, Code: strings.Join(lines[1:used], "\n")}
	// A fence that nobody closed goes to the end.
	return b, min(used+1, len(lines))
}

func listBlock(kind blockKind, item *regexp.Regexp, lines []string) (b block, used int) {
	b = block{Kind: kind}
	for used < len(lines) && item.MatchString(lines[used]) {
		text := item.FindStringSubmatch(lines[used])[1]
		for used++; used < len(lines) && !beginsBlock(lines[used]); used++ {
			text += " " + strings.TrimSpace(lines[used])
		}
		b.Items = append(b.Items, spansOf(text))
	}
	return b, used
}

func tableBlock(lines []string) (b block, used int) {
	b = block{Kind: blockTable, Head: cellsOf(lines[0])}
	for used = 2; used < len(lines) && strings.HasPrefix(lines[used], "|"); used++ {
		b.Rows = append(b.Rows, cellsOf(lines[used]))
	}
	return b, used
}

// cellsOf splits a table's row; \| is a bar within a cell.
func cellsOf(line string) [][]span {
	const bar = "\x00"
	line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, bar)
	line = strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|")
	var cells [][]span
	for _, cell := range strings.Split(line, "|") {
		cells = append(cells, spansOf(strings.ReplaceAll(strings.TrimSpace(cell), bar, "|")))
	}
	return cells
}

func spansOf(text string) []span {
	var spans []span
	for text != "" {
		at := styled.FindStringIndex(text)
		if at == nil {
			return append(spans, span{Text: text})
		}
		if at[0] > 0 {
			spans = append(spans, span{Text: text[:at[0]]})
		}
		spans = append(spans, styledSpans(text[at[0]:at[1]])...)
		text = text[at[1]:]
	}
	return spans
}

// styledSpans reads one styled piece; what stands within bold or emphasis may
// have a style of its own.
func styledSpans(piece string) []span {
	switch {
	case strings.HasPrefix(piece, "`"):
		return []span{{Text: strings.Trim(piece, "`"), Code: true}}
	case strings.HasPrefix(piece, "**"):
		return restyle(spansOf(piece[2:len(piece)-2]), func(s *span) { s.Bold = true })
	case strings.HasPrefix(piece, "*"):
		return restyle(spansOf(piece[1:len(piece)-1]), func(s *span) { s.Soft = true })
	}
	parts := linked.FindStringSubmatch(piece)
	if !served(parts[2]) {
		return []span{{Text: parts[1]}}
	}
	return restyle(spansOf(parts[1]), func(s *span) { s.Href = parts[2] })
}

func restyle(spans []span, style func(*span)) []span {
	for i := range spans {
		style(&spans[i])
	}
	return spans
}

// served reports whether a link leads somewhere from here: to another runbook,
// or out. A path to a file of the repository does not.
func served(href string) bool {
	return strings.HasPrefix(href, "https://") || strings.HasPrefix(href, "http://") || !strings.ContainsAny(href, "/:")
}
