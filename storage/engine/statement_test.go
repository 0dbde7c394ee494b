package engine

import (
	"errors"
	"strings"
	"testing"
)

func TestParseStatement(t *testing.T) {
	for _, tc := range []struct {
		sql    string
		kind   statementKind
		format string
		head   string
		rows   string // what follows the head of an INSERT
	}{
		{"SELECT 1", kindSelect, "", "", ""},
		{" /* a */ select 1 FORMAT CSV -- end", kindSelect, "CSV", "", ""},
		{"SELECT 1 format JSON SETTINGS max_threads = 1", kindSelect, "JSON", "", ""},
		{"SELECT ' FORMAT CSV', `format`, (SELECT 1 AS FORMAT) FROM t", kindSelect, "", "", ""},
		{"SELECT $x$ ; FORMAT CSV $x$", kindSelect, "", "", ""},
		{"(SELECT 1) UNION ALL (SELECT 2)", kindSelect, "", "", ""},
		{"WITH 1 AS x SELECT x", kindSelect, "", "", ""},
		{"WITH 1 AS x INSERT INTO t SELECT x", kindOther, "", "", ""},
		{"SHOW TABLES;", kindOther, "", "", ""},
		{"SELECT 1;;\n", kindSelect, "", "", ""},
		{"SET a = 1", kindSessionState, "", "", ""},
		{"USE x", kindSessionState, "", "", ""},
		{"CREATE TEMPORARY TABLE x (a Int8)", kindSessionState, "", "", ""},
		{"INSERT INTO t VALUES (1)", kindInsertData, "Values", "INSERT INTO t", " (1)"},
		{"insert into db.t (a, `values`, b) values (1)", kindInsertData, "Values", "insert into db.t (a, `values`, b)", " (1)"},
		{"INSERT INTO t FORMAT CSV\n1,2\n", kindInsertData, "CSV", "INSERT INTO t", "1,2\n"},
		{"INSERT INTO t FORMAT CSV \t\r\n1,2\n", kindInsertData, "CSV", "INSERT INTO t", "1,2\n"},
		{"INSERT INTO t FORMAT CSV 1,2\n", kindInsertData, "CSV", "INSERT INTO t", "1,2\n"},
		{"INSERT INTO t FORMAT CSV\n\n1", kindInsertData, "CSV", "INSERT INTO t", "\n1"},
		{"INSERT INTO t FORMAT Native", kindInsertData, "Native", "INSERT INTO t", ""},
		{"INSERT INTO t SETTINGS async_insert = 0 FORMAT TSV\n1", kindInsertData, "TSV", "INSERT INTO t SETTINGS async_insert = 0", "1"},
		{"INSERT INTO t", kindInsertData, "", "INSERT INTO t", ""},
		{"INSERT INTO t (a);", kindInsertData, "", "INSERT INTO t (a)", ""},
		{"INSERT INTO {x:Identifier} FORMAT TSV\n1", kindInsertData, "TSV", "INSERT INTO {x:Identifier}", "1"},
		{"INSERT INTO format.values FORMAT TSV\n1", kindInsertData, "TSV", "INSERT INTO format.values", "1"},
		{"INSERT INTO TABLE t VALUES (1)", kindInsertData, "Values", "INSERT INTO TABLE t", " (1)"},
		{"INSERT INTO t SELECT 1", kindOther, "", "", ""},
		{"INSERT INTO t (a) SELECT 1 FORMAT Null", kindOther, "Null", "", ""},
		{"INSERT INTO t (SELECT 1)", kindOther, "", "", ""},
		{"INSERT INTO t WITH 1 AS x SELECT x", kindOther, "", "", ""},
		{"SELECT t.file FROM t", kindSelect, "", "", ""},
		{"SELECT 'file(1)', \"disk\" FROM t -- outfile", kindSelect, "", "", ""},
		{"CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 't')) LAYOUT(FLAT()) LIFETIME(0)", kindOther, "", "", ""},
		{"SELECT source(1)", 0, "", "", ""}, // no such function anyway
	} {
		st, err := parseStatement(tc.sql)
		if tc.kind == 0 {
			if err == nil {
				t.Errorf("%s: accepted", tc.sql)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.sql, err)
			continue
		}
		rows := ""
		if st.kind == kindInsertData {
			rows = tc.sql[min(st.dataAt, len(tc.sql)):]
		}
		if st.kind != tc.kind || st.format != tc.format || st.head != tc.head || rows != tc.rows {
			t.Errorf("%s: got kind %d format %q head %q rows %q", tc.sql, st.kind, st.format, st.head, rows)
		}
	}
}

func TestParseStatementRefuses(t *testing.T) {
	for sql, code := range map[string]int{
		"":                                   codeSyntaxError,
		"  -- x":                             codeSyntaxError,
		"exit":                               codeSyntaxError,
		"\\d":                                codeSyntaxError,
		"'SELECT 1'":                         codeSyntaxError,
		"1":                                  codeSyntaxError,
		"SELECT 1; DROP TABLE t":             codeSyntaxError,
		"INSERT INTO t SELECT 1; SELECT 2":   codeSyntaxError,
		"INSERT INTO t FORMAT":               codeSyntaxError,
		"SELECT FiLe('x')":                   codeAccessDenied,
		"SELECT * APPLY file":                codeAccessDenied,
		"SELECT `fi\\le`('x')":               codeAccessDenied,
		"SELECT 1 INTO OUTFILE 'x'":          codeAccessDenied,
		"INSERT INTO t FROM INFILE 'x'":      codeAccessDenied,
		"INSERT INTO FUNCTION file('x')":     codeAccessDenied,
		"SELECT * FROM system . stack_trace": codeAccessDenied,
		"SELECT 1 SETTINGS disk = disk()":    codeAccessDenied,
		"CREATE DICTIONARY d SOURCE (HTTP(":  codeAccessDenied,
	} {
		_, err := parseStatement(sql)
		var e *exception
		if !errors.As(err, &e) || e.code != code {
			t.Errorf("%s: got %v, want code %d", sql, err, code)
		}
	}
}

func FuzzParseStatement(f *testing.F) {
	for _, s := range []string{"SELECT 1", "INSERT INTO t FORMAT CSV\n1", "SELECT $a$x$a$ FORMAT x", "/*", "'\\", "`", "\u00a0SELECT", "INSERT INTO t (SELECT", "\xc2\xa0", "--\n;;", "${("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		l := &lexer{sql: sql}
		last := 0
		for {
			tok, ok := l.next()
			if !ok {
				break
			}
			if tok.start < last || tok.end <= tok.start || tok.end > len(sql) || tok.depth < 0 {
				t.Fatalf("token %+v after %d", tok, last)
			}
			last = tok.end
		}
		st, err := parseStatement(sql)
		if err == nil && st.kind == kindInsertData && (st.dataAt < 0 || st.dataAt > len(sql) || !strings.HasPrefix(strings.ToUpper(st.head), "INSERT")) {
			t.Fatalf("%+v", st)
		}
	})
}
