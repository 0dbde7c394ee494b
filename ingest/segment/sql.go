package segment

import (
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// SQL is the ClickHouse expression, over the columns model and segments of
// predictions, of the names of the declared segments that a row is counted in
// beside the whole. It needs the parameter of Parameter.
const SQL = `arrayMap(slicing -> arrayStringConcat(arrayMap(part -> concat(part.1, '=', if(has(part.2, segments[part.1]), segments[part.1], '` + Other + `')), slicing.2), ','),
    arrayFilter(slicing -> slicing.1 = model AND arrayAll(part -> mapContains(segments, part.1), slicing.2), {declared_segments:Array(Tuple(String, Array(Tuple(String, Array(String)))))}))`

// Parameter is the query parameter declared_segments of SQL.
func (d Declared) Parameter() any { return clickhouse.Named("declared_segments", d.literal()) }

// literal is the array of Parameter.
func (d Declared) literal() literal {
	var b strings.Builder
	b.WriteByte('[')
	for _, model := range slices.Sorted(maps.Keys(d)) {
		for _, slicing := range d[model].Slicings() {
			if b.Len() > 1 {
				b.WriteByte(',')
			}
			b.WriteString("(" + quote(string(model)) + ",[")
			for i, part := range slicing {
				if i > 0 {
					b.WriteByte(',')
				}
				values := make([]string, len(part.Values))
				for k, v := range part.Values {
					values[k] = quote(v)
				}
				b.WriteString("(" + quote(part.Name) + ",[" + strings.Join(values, ",") + "])")
			}
			b.WriteString("])")
		}
	}
	b.WriteByte(']')
	return literal(b.String())
}

// literal is an array as ClickHouse reads it. The driver escapes a string once
// more, as ClickHouse unescapes parameters of the type String only; a Stringer
// is sent as it is.
type literal string

func (l literal) String() string { return string(l) }

// quote writes a string as a parameter's text holds it within an array.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
