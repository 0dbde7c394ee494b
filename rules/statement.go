package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// masked finds literals and comments, which say nothing of what is read, and quoted
// names.
var masked = regexp.MustCompile("(?s)'(?:[^'\\\\]|\\\\.|'')*'|--[^\n]*|#[ !][^\n]*|/\\*.*?\\*/|`(?:[^`\\\\]|\\\\.)*`|\"(?:[^\"\\\\]|\\\\.)*\"")

// bareStatement is a statement with a space for each comment, as ClickHouse reads it,
// no text in its literals, and its names without quotes.
func bareStatement(query string) string {
	return masked.ReplaceAllStringFunc(query, func(s string) string {
		switch name := s[1 : len(s)-1]; {
		case s[0] == '\'':
			return "''"
		case s[0] != '`' && s[0] != '"':
			return " "
		case word.FindString(name) == name:
			return name
		}
		return "quoted"
	})
}

var (
	word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
	// token is a word, with a mark if it is called, or what nests and what lists.
	token = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*(?:\s*\()?|[(),]`)
	// outside are table functions that reach beyond the database: they may stand
	// nowhere in a statement.
	outside = regexp.MustCompile(`(?i)\b(url|urlCluster|file|fileCluster|s3|s3Cluster|gcs|remote|remoteSecure|cluster|clusterAllReplicas|` +
		`mysql|postgresql|mongodb|redis|sqlite|jdbc|odbc|hdfs|azureBlobStorage|executable|input|merge|dictionary|iceberg|deltaLake|hudi)\s*\(`)
)

// noTableFunction refuses a statement that names a table function. It is there to
// say so early; the user that runs the statement may not use any.
func noTableFunction(query string) error {
	bare := bareStatement(query)
	if strings.Contains(strings.TrimRight(strings.TrimSpace(bare), ";"), ";") {
		return errors.New("holds more than one statement")
	}
	if m := outside.FindStringSubmatch(bare); m != nil {
		return fmt.Errorf("uses the table function %s", m[1])
	}
	if name := readCall(bare); name != "" {
		return fmt.Errorf("reads from the function %s", name)
	}
	return nil
}

// everything finds a star that lists all columns of what is read.
var everything = regexp.MustCompile(`(?i)(SELECT|DISTINCT|,|\.)\s*\*|\bCOLUMNS\s*\(`)

// missingColumns returns which of the columns that count a statement cannot return,
// because it names them nowhere.
func missingColumns(query string) (missing []string) {
	bare := bareStatement(query)
	if everything.MatchString(bare) {
		return nil
	}
	words := word.FindAllString(bare, -1)
	for _, column := range []string{"time", "good", "total"} {
		if !slices.Contains(words, column) {
			missing = append(missing, column)
		}
	}
	return missing
}

// clause is where a walk through a statement is, within one pair of brackets.
type clause struct {
	// begun says that a word was there, query that a SELECT was: in the brackets of a
	// function FROM is its argument's, as in extract(hour FROM ts).
	begun, query bool
	// reading says that tables are listed, table that the next word is one.
	reading, table bool
	last           string
}

// readCall returns the function that a statement reads from, in FROM or JOIN or behind
// a comma there; empty if it reads tables and queries only.
func readCall(bare string) string {
	nested := []clause{{}}
	for _, t := range token.FindAllString(bare, -1) {
		at := &nested[len(nested)-1]
		name, calls := strings.CutSuffix(t, "(")
		name = strings.TrimSpace(name)
		switch {
		case t == ")":
			if len(nested) > 1 {
				nested = nested[:len(nested)-1]
			}
			continue
		case t == ",":
			at.table = at.reading
			continue
		case name != "":
			if at.word(strings.ToUpper(name)) && calls {
				return name
			}
		}
		if calls {
			at.table = false
			nested = append(nested, clause{})
		}
	}
	return ""
}

// word takes the next word, and reports whether it is a table's name.
func (c *clause) word(upper string) bool {
	first, last, table := !c.begun, c.last, c.table
	c.begun, c.last, c.table = true, upper, false
	switch {
	case upper == "SELECT":
		c.query, c.reading = true, false
	case upper == "FROM" && (first || c.query):
		c.query, c.reading, c.table = true, true, true
	case upper == "JOIN" && c.query:
		// What an ARRAY JOIN lists are expressions.
		c.reading, c.table = last != "ARRAY", last != "ARRAY"
	case slices.Contains([]string{"WHERE", "PREWHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "WINDOW", "QUALIFY", "SETTINGS", "UNION", "EXCEPT", "INTERSECT"}, upper):
		c.reading = false
	default:
		return table
	}
	return false
}
