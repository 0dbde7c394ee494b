package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// noData is what the page says where a number is missing.
const noData = "no data"

func functions() template.FuncMap {
	return template.FuncMap{
		"percent": percent, "points": points, "count": count, "number": number, "times": times,
		"clock": clock, "ago": ago, "short": short, "modelPath": modelPath, "param": param, "fixed": fixed,
		"decidesItself": func() string { return decidesItself },
	}
}

func percent(v *float64) string {
	if v == nil {
		return noData
	}
	return fixed(*v)
}

func fixed(v float64) string { return strconv.FormatFloat(v*100, 'f', 1, 64) + " %" }

// points is a difference of two shares in percentage points, with its sign.
func points(v *float64) string {
	if v == nil {
		return noData
	}
	return fmt.Sprintf("%+.1f points", *v*100)
}

// times is a multiple such as a burn against its threshold.
func times(v *float64) string {
	if v == nil {
		return noData
	}
	return fmt.Sprintf("%.2f ×", *v)
}

func number(v *float64) string {
	if v == nil {
		return noData
	}
	return strconv.FormatFloat(*v, 'f', 3, 64)
}

func count(v *uint64) string {
	if v == nil {
		return noData
	}
	return strconv.FormatUint(*v, 10)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// ago is the age of t in two units at most.
func ago(now, t time.Time) string {
	d := now.Sub(t).Round(time.Minute)
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}

// shortLength is what is shown of a deploy hash where space is scarce: as much
// as git shows.
const shortLength = 12

func short(hash string) string {
	if utf8.RuneCountInString(hash) <= shortLength {
		return hash
	}
	return string([]rune(hash)[:shortLength]) + "…"
}

// modelPath is the path of a model's page; a model's name may hold anything.
func modelPath(name string) string { return "/models/" + url.PathEscape(name) }

// param spells a query parameter as clickhouse-client takes it.
func param(p driver.NamedValue) string {
	return fmt.Sprintf("SET param_%s = %s;", p.Name, quoteSQL(fmt.Sprint(p.Value)))
}

// quoteSQL is for reading only: the page shows what a person may paste.
func quoteSQL(s string) string {
	quoted := make([]rune, 0, len(s)+2)
	quoted = append(quoted, '\'')
	for _, r := range s {
		if r == '\'' || r == '\\' {
			quoted = append(quoted, '\\')
		}
		quoted = append(quoted, r)
	}
	return string(append(quoted, '\''))
}
