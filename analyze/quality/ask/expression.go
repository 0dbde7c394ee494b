package ask

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Expression is an SQL expression over labelled predictions that cannot do
// anything but compute: it is made of the columns of the view labelled, of
// numbers['NAME'] and categories['NAME'], which are features, of literals,
// operators and the functions of a list. There is no word in it that could name
// a table, a setting or a statement.
type Expression struct {
	text string
	// features tells that it reads numbers or categories, those named in brackets.
	features            bool
	numbers, categories []string
}

const mostExpression = 2000 // bytes

func expressionColumns() []string {
	return []string{"deploy_hash", "stage", "prediction_id", "ts", "predicted", "predicted_value", "score", "label", "label_value", "correct", "requests", "segments", "numbers", "categories"}
}

func aggregates() []string {
	return []string{"sum", "sumIf", "avg", "avgIf", "avgWeighted", "count", "countIf", "min", "minIf", "max", "maxIf", "uniqExact", "median", "quantile", "stddevPop", "varPop", "corr", "covarPop"}
}

func scalars() []string {
	return []string{"if", "multiIf", "abs", "exp", "log", "ln", "log2", "log10", "log1p", "sqrt", "pow", "power", "round", "floor", "ceil", "sign", "least", "greatest",
		"coalesce", "ifNull", "nullIf", "isNull", "isNotNull", "isNaN", "isFinite", "toFloat64", "toInt64", "toUInt8", "toString", "lower", "upper", "length", "startsWith", "endsWith",
		"position", "has", "empty", "notEmpty", "toHour", "toDayOfWeek", "mapContains"}
}

func words() []string {
	return []string{"and", "or", "not", "in", "is", "null", "like", "between", "case", "when", "then", "else", "end", "true", "false"}
}

// ParseExpression reads an expression. Without an aggregate function its mean
// over requests is meant. The error says what may not stand in one.
func ParseExpression(text string) (Expression, error) {
	if strings.TrimSpace(text) == "" || len(text) > mostExpression {
		return Expression{}, fmt.Errorf("an expression has 1 to %d bytes, not %d", mostExpression, len(text))
	}
	p := expressionParser{rest: text}
	for p.next() {
	}
	switch {
	case p.err != nil:
		return Expression{}, fmt.Errorf("expression %q: %w", text, p.err)
	case len(p.open) > 0:
		return Expression{}, fmt.Errorf("expression %q: %q is not closed", text, p.open[len(p.open)-1:])
	}
	if !p.aggregate {
		text = "avgWeighted(toFloat64(" + text + "), requests)"
	}
	return Expression{text: text, features: p.features, numbers: p.numbers, categories: p.categories}, nil
}

type expressionParser struct {
	rest                string
	open                string // brackets that are open
	before              []string
	aggregate, features bool
	numbers, categories []string // features that stand in brackets
	err                 error
}

// next takes one token, or ends.
func (p *expressionParser) next() bool {
	p.rest = strings.TrimLeft(p.rest, " \t\n")
	if p.rest == "" || p.err != nil {
		return false
	}
	token := p.token()
	if p.err == nil {
		p.err = p.follows(token)
		p.subscript(token)
	}
	p.before = append(p.before, token)
	return p.err == nil
}

func (p *expressionParser) take(n int) string {
	token := p.rest[:n]
	p.rest = p.rest[n:]
	return token
}

func (p *expressionParser) token() string {
	c := p.rest[0]
	switch {
	case c == '\'':
		return p.literal()
	case letter(c):
		return p.word()
	case digit(c):
		return p.number()
	}
	for _, op := range []string{"<=", ">=", "!=", "<>", "=="} {
		if strings.HasPrefix(p.rest, op) {
			return p.take(2)
		}
	}
	for _, comment := range []string{"--", "/*", "->"} {
		if strings.HasPrefix(p.rest, comment) {
			p.err = fmt.Errorf("%q may not stand in it", comment)
			return ""
		}
	}
	if !strings.ContainsRune("()[]+-*/%=<>,", rune(c)) {
		p.err = fmt.Errorf("%q may not stand in it", string(c))
		return ""
	}
	p.brackets(c)
	return p.take(1)
}

func (p *expressionParser) brackets(c byte) {
	switch c {
	case '(', '[':
		p.open += string(c)
	case ')', ']':
		opener := map[byte]byte{')': '(', ']': '['}[c]
		if len(p.open) == 0 || p.open[len(p.open)-1] != opener {
			p.err = fmt.Errorf("%q closes nothing", string(c))
			return
		}
		p.open = p.open[:len(p.open)-1]
	}
}

// literal takes a text. What the server or the driver would read something into
// may not stand in one.
func (p *expressionParser) literal() string {
	end := strings.IndexByte(p.rest[1:], '\'')
	if end < 0 {
		p.err = errors.New("a text is not closed")
		return ""
	}
	token := p.take(end + 2)
	odd := strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || strings.ContainsRune("\\{}?@$", r) })
	if odd || strings.Contains(token, "/*") || strings.Contains(token, "--") {
		p.err = fmt.Errorf("the text %s has what may not stand in one: control characters, \\ { } ? @ $, /* or --", token)
	}
	return token
}

func (p *expressionParser) number() string {
	n := 0
	for n < len(p.rest) && (digit(p.rest[n]) || p.rest[n] == '.' || p.rest[n] == 'e' || p.rest[n] == 'E' || n > 0 && (p.rest[n-1] == 'e' || p.rest[n-1] == 'E') && (p.rest[n] == '-' || p.rest[n] == '+')) {
		n++
	}
	if n < len(p.rest) && letter(p.rest[n]) {
		p.err = fmt.Errorf("%q is no number", p.rest[:n+1])
	}
	return p.take(n)
}

func (p *expressionParser) word() string {
	n := 0
	for n < len(p.rest) && (letter(p.rest[n]) || digit(p.rest[n])) {
		n++
	}
	word := p.take(n)
	called := strings.HasPrefix(strings.TrimLeft(p.rest, " \t\n"), "(")
	switch {
	case slices.Contains(words(), strings.ToLower(word)):
	case called && slices.Contains(aggregates(), word):
		p.aggregate = true
	case called && slices.Contains(scalars(), word):
	case called:
		p.err = fmt.Errorf("there is no function %s in it; there are %s, and %s", word, strings.Join(aggregates(), ", "), strings.Join(scalars(), ", "))
	case slices.Contains(expressionColumns(), word):
		p.features = p.features || word == "numbers" || word == "categories"
	default:
		p.err = fmt.Errorf("there is no column %s in it; there are %s", word, strings.Join(expressionColumns(), ", "))
	}
	return word
}

// follows keeps a list, and nothing that could be the name of a table, behind IN.
func (p *expressionParser) follows(token string) error {
	n := len(p.before)
	literal := token != "" && (token[0] == '\'' || digit(token[0]) || token[0] == '-')
	switch {
	case n > 0 && strings.EqualFold(p.before[n-1], "in") && token != "(":
		return errors.New("behind in stands a list in parentheses")
	case n > 1 && strings.EqualFold(p.before[n-2], "in") && !literal:
		return errors.New("behind in stands a list of texts or numbers")
	}
	return nil
}

// subscript keeps the name of a feature: a text in brackets behind numbers or categories.
func (p *expressionParser) subscript(token string) {
	n := len(p.before)
	if n < 2 || p.before[n-1] != "[" || !strings.HasPrefix(token, "'") {
		return
	}
	switch name := strings.Trim(token, "'"); p.before[n-2] {
	case "numbers":
		p.numbers = append(p.numbers, name)
	case "categories":
		p.categories = append(p.categories, name)
	}
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
