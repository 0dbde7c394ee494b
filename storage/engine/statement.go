package engine

import (
	"fmt"
	"slices"
	"strings"
)

// statementKind decides how a statement is run.
type statementKind uint8

const (
	kindSelect       statementKind = iota + 1 // reads, and may be streamed
	kindOther                                 // anything that runs as one call
	kindInsertData                            // INSERT whose rows follow the text
	kindSessionState                          // changes its connection, which must not be used again
)

// statement is what the HTTP interface needs to know of SQL: the engine
// parses the rest.
type statement struct {
	kind    statementKind
	keyword string // the first word, in capitals
	format  string // of the FORMAT clause; empty if none
	head    string // for kindInsertData: the text before VALUES or FORMAT
	dataAt  int    // for kindInsertData: where the rows begin in the text
}

// statementWords are the first words of the statements that are let through.
// The engine's client knows further words that end the session or run
// commands of its shell ("exit", "\\d"), so what is not listed is refused.
var statementWords = []string{
	"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK", "INSERT", "CREATE", "ALTER",
	"DROP", "UNDROP", "TRUNCATE", "RENAME", "EXCHANGE", "REPLACE", "OPTIMIZE", "SYSTEM", "SET", "USE", "KILL",
	"ATTACH", "DETACH", "DELETE", "UPDATE", "GRANT", "REVOKE", "WATCH",
}

// outsideNames reach outside the database and are not covered by the engine's
// grants: the scalar function file() reads any file of this machine even for
// a user without grants on FILE, executables run programs, and stack_trace
// sends signals to every thread; sqlite() makes its file before it is refused. The names are refused wherever an identifier
// may stand, also as the argument of APPLY; as a column name they can be
// reached as table.`file`.
var outsideNames = []string{"file", "executable", "executablepool", "executable_pool", "stack_trace", "infile", "outfile", "sqlite", "catboostevaluate"}

// dictionarySources are the sources a dictionary may have: this database or
// none. Others read files or the network, past the grants.
var dictionarySources = []string{"CLICKHOUSE", "NULL"}

// parseStatement looks at sql, of which more may follow if it is the head of
// an INSERT. The error is an *exception.
func parseStatement(sql string) (statement, error) {
	l := &lexer{sql: sql}
	first, ok := l.next()
	for ok && first.punct(';') {
		first, ok = l.next()
	}
	if !ok {
		return statement{}, raise(codeSyntaxError, "SYNTAX_ERROR", "Empty query")
	}
	st := statement{keyword: strings.ToUpper(first.text), kind: kindOther}
	switch {
	case first.punct('('):
		st.keyword, st.kind = "SELECT", kindSelect
	case first.kind != tokenWord || !slices.Contains(statementWords, st.keyword):
		return st, raise(codeSyntaxError, "SYNTAX_ERROR", fmt.Sprintf("Syntax error: a query over HTTP cannot begin with %q", clip(first.text, 40)))
	case st.keyword == "INSERT":
		return parseInsert(l, st, first.start)
	case st.keyword == "SELECT" || st.keyword == "WITH" || st.keyword == "FROM":
		st.kind = kindSelect
	case st.keyword == "SET" || st.keyword == "USE":
		st.kind = kindSessionState
	}
	return scanRest(l, st, first)
}

// scanRest reads the tokens after prev to the end: it finds the FORMAT clause
// and refuses what may not be asked over HTTP.
func scanRest(l *lexer, st statement, prev token) (statement, error) {
	for {
		t, ok := l.next()
		if !ok {
			return st, nil
		}
		if err := checkToken(l, prev, t); err != nil {
			return st, err
		}
		switch {
		case t.punct(';'):
			if more, ok := l.next(); ok && !more.punct(';') {
				return st, raise(codeSyntaxError, "SYNTAX_ERROR", "Multi-statements are not allowed")
			}
		case prev.is("FORMAT") && t.kind == tokenWord && t.depth == 0:
			st.format = t.text
		case t.is("INSERT") && t.depth == 0 && st.keyword == "WITH":
			st.kind = kindOther // WITH ... INSERT INTO ... SELECT
		case t.is("TEMPORARY") && (prev.is("CREATE") || prev.is("REPLACE")):
			st.kind = kindSessionState
		}
		prev = t
	}
}

// checkToken refuses names that reach outside the database.
func checkToken(l *lexer, prev, t token) error {
	if t.kind != tokenWord && t.kind != tokenQuoted {
		return nil
	}
	name := strings.ToLower(t.text)
	if slices.Contains(outsideNames, name) && !prev.punct('.') {
		return raise(codeAccessDenied, "ACCESS_DENIED",
			fmt.Sprintf("%q reaches outside the database and is not available in the embedded engine", t.text))
	}
	if name == "stack_trace" {
		return raise(codeAccessDenied, "ACCESS_DENIED", "system.stack_trace is not available in the embedded engine")
	}
	if name == "disk" && l.peek('(') {
		return raise(codeAccessDenied, "ACCESS_DENIED", "disk(...) writes outside the database and is not available in the embedded engine")
	}
	if prev.punct('(') && l.afterSource(prev) && !slices.Contains(dictionarySources, strings.ToUpper(t.text)) {
		return raise(codeAccessDenied, "ACCESS_DENIED",
			fmt.Sprintf("dictionary source %q is not available in the embedded engine", t.text))
	}
	return nil
}

// peek says whether the next token is the punctuation c.
func (l *lexer) peek(c byte) bool {
	ahead := *l
	t, ok := ahead.next()
	return ok && t.punct(c)
}

// afterSource says whether the parenthesis paren follows the word SOURCE.
func (l *lexer) afterSource(paren token) bool {
	before := strings.TrimRight(l.sql[:paren.start], " \t\r\n")
	return len(before) >= 6 && strings.EqualFold(before[len(before)-6:], "SOURCE") &&
		(len(before) == 6 || !isWordByte(before[len(before)-7]))
}

// parseInsert follows an INSERT to where its rows begin. An INSERT ... SELECT
// has none and is read to its end.
func parseInsert(l *lexer, st statement, start int) (statement, error) {
	prev := token{}
	named := false // the table's name has been seen, so a keyword is one
	for {
		t, ok := l.next()
		if !ok || t.punct(';') {
			// No VALUES and no FORMAT: the request names the format.
			st.kind, st.head, st.dataAt = kindInsertData, strings.TrimSpace(l.sql[start:min(l.pos, len(l.sql))]), l.pos
			st.head = strings.TrimSuffix(st.head, ";")
			return st, nil
		}
		if err := checkToken(l, prev, t); err != nil {
			return st, err
		}
		if t.depth == 0 && named && !prev.punct('.') {
			switch {
			case t.is("VALUES"), t.is("FORMAT"):
				return insertData(l, st, start, t)
			case t.is("SELECT"), t.is("WITH"), t.is("FROM"), t.is("WATCH"):
				st.kind = kindOther
				return scanRest(l, st, t)
			}
		}
		if t.punct('(') && t.depth == 0 && named && insertParenSelects(l) {
			st.kind = kindOther
			return scanRest(l, st, t)
		}
		if !t.is("INTO") && !t.is("TABLE") && !t.is("FUNCTION") {
			named = true
		}
		prev = t
	}
}

// insertParenSelects looks behind an opening parenthesis for a SELECT, in
// INSERT INTO t (SELECT ...), as opposed to a list of columns.
func insertParenSelects(l *lexer) bool {
	ahead := *l
	t, ok := ahead.next()
	return ok && (t.is("SELECT") || t.is("WITH")) && t.kind == tokenWord
}

// insertData ends an INSERT at VALUES or FORMAT, by the rule of ClickHouse's
// parser: behind FORMAT x the rows begin after the blanks, or after the first
// line end if only blanks stand before it.
func insertData(l *lexer, st statement, start int, at token) (statement, error) {
	st.kind = kindInsertData
	st.head = strings.TrimSpace(l.sql[start:at.start])
	st.format, st.dataAt = "Values", at.end
	if at.is("VALUES") {
		return st, nil
	}
	name, ok := l.next()
	if !ok || name.kind != tokenWord {
		return st, raise(codeSyntaxError, "SYNTAX_ERROR", "Syntax error: expected the name of a format after FORMAT")
	}
	st.format = name.text
	i := l.pos
	for i < len(l.sql) && strings.IndexByte(" \t\f", l.sql[i]) >= 0 {
		i++
	}
	if i < len(l.sql) && l.sql[i] == ';' && strings.TrimSpace(l.sql[i:]) == ";" {
		i = len(l.sql)
	}
	if i < len(l.sql) && l.sql[i] == '\r' {
		i++
	}
	if i < len(l.sql) && l.sql[i] == '\n' {
		i++
	}
	st.dataAt = i
	return st, nil
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}
