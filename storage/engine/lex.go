package engine

import "strings"

// tokenKind says what a token of ClickHouse SQL is, as far as this package
// cares.
type tokenKind uint8

const (
	tokenWord   tokenKind = iota + 1 // bare word, number or keyword
	tokenQuoted                      // `x` or "x": an identifier
	tokenString                      // 'x' or $tag$x$tag$
	tokenPunct                       // one byte
)

// token is a piece of SQL. text of a word or punctuation is as written, text
// of a quoted identifier is what it names.
type token struct {
	kind       tokenKind
	text       string
	start, end int // byte offsets in the SQL
	depth      int // of parentheses and brackets around it
}

func (t token) is(keyword string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, keyword)
}

func (t token) punct(c byte) bool { return t.kind == tokenPunct && t.text[0] == c }

// lexer splits SQL into tokens and skips blanks and comments, by the rules of
// ClickHouse's Lexer.cpp. It never fails: what is left open reaches to the
// end.
type lexer struct {
	sql   string
	pos   int
	depth int
}

// next returns the next token, or false at the end.
func (l *lexer) next() (token, bool) {
	l.skip()
	if l.pos >= len(l.sql) {
		return token{}, false
	}
	start := l.pos
	switch c := l.sql[start]; {
	case isWordByte(c):
		for l.pos < len(l.sql) && isWordByte(l.sql[l.pos]) {
			l.pos++
		}
		return l.token(tokenWord, start, l.sql[start:l.pos]), true
	case c == '\'':
		l.quoted('\'')
		return l.token(tokenString, start, l.sql[start:l.pos]), true
	case c == '`' || c == '"':
		return l.token(tokenQuoted, start, l.quoted(c)), true
	case c == '$':
		if l.heredoc() {
			return l.token(tokenString, start, l.sql[start:l.pos]), true
		}
	}
	l.pos = start + 1
	return l.punct(start), true
}

func (l *lexer) token(k tokenKind, start int, text string) token {
	return token{kind: k, text: text, start: start, end: l.pos, depth: l.depth}
}

// punct returns the punctuation at start; an opening bracket and its closing
// one have the depth around them.
func (l *lexer) punct(start int) token {
	c := l.sql[start]
	if (c == ')' || c == ']' || c == '}') && l.depth > 0 {
		l.depth--
	}
	t := l.token(tokenPunct, start, l.sql[start:start+1])
	if c == '(' || c == '[' || c == '{' {
		l.depth++
	}
	return t
}

// skip passes over blanks and comments.
func (l *lexer) skip() {
	for l.pos < len(l.sql) {
		rest := l.sql[l.pos:]
		switch {
		case strings.IndexByte(" \t\n\r\f\v\x00", rest[0]) >= 0:
			l.pos++
		case strings.HasPrefix(rest, "\u00a0"), strings.HasPrefix(rest, "\ufeff"):
			l.pos += len(string([]rune(rest[:min(3, len(rest))])[:1]))
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
			l.to("\n")
		case strings.HasPrefix(rest, "/*"):
			l.pos += 2
			l.to("*/")
		default:
			return
		}
	}
}

// to moves behind the next end, or to the end of the SQL.
func (l *lexer) to(end string) {
	if i := strings.Index(l.sql[l.pos:], end); i >= 0 {
		l.pos += i + len(end)
		return
	}
	l.pos = len(l.sql)
}

// quoted moves behind the closing quote and returns what is between, with
// backslashes and doubled quotes resolved as far as names need it.
func (l *lexer) quoted(q byte) string {
	var b strings.Builder
	for l.pos++; l.pos < len(l.sql); l.pos++ {
		switch c := l.sql[l.pos]; {
		case c == '\\' && l.pos+1 < len(l.sql):
			l.pos++
			b.WriteByte(l.sql[l.pos])
		case c == q && l.pos+1 < len(l.sql) && l.sql[l.pos+1] == q:
			l.pos++
			b.WriteByte(q)
		case c == q:
			l.pos++
			return b.String()
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// heredoc moves behind $tag$...$tag$ if there is one here.
func (l *lexer) heredoc() bool {
	i := strings.IndexByte(l.sql[l.pos+1:], '$')
	if i < 0 {
		return false
	}
	tag := l.sql[l.pos : l.pos+i+2]
	for j := 1; j < len(tag)-1; j++ {
		if !isWordByte(tag[j]) {
			return false
		}
	}
	end := strings.Index(l.sql[l.pos+len(tag):], tag)
	if end < 0 {
		return false
	}
	l.pos += 2*len(tag) + end
	return true
}

// isWordByte accepts bytes of words and numbers; bytes above ASCII count as
// letters so that a name in any script is one token.
func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
