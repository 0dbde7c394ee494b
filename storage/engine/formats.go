package engine

import "strings"

// contentType is the Content-Type ClickHouse sends for a format.
func contentType(format string) string {
	switch f := strings.ToLower(format); {
	case strings.HasPrefix(f, "csv"):
		return "text/csv; charset=UTF-8; header=" + header(f)
	case strings.HasPrefix(f, "tabseparated"), strings.HasPrefix(f, "tsv"):
		return "text/tab-separated-values; charset=UTF-8"
	case f == "jsoneachrow", f == "jsoncompacteachrow", f == "ndjson", f == "jsonlines":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(f, "json"):
		return "application/json; charset=UTF-8"
	case f == "xml":
		return "application/xml; charset=UTF-8"
	case f == "native", strings.HasPrefix(f, "rowbinary"), strings.HasPrefix(f, "arrow"), f == "parquet", f == "orc", f == "avro":
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

func header(csv string) string {
	if strings.Contains(csv, "withnames") {
		return "present"
	}
	return "absent"
}

// streamable says whether documents of the format can be joined to one. The
// engine's stream emits each chunk as a complete document: joined ArrowStream
// chunks, for one, lose rows in silence.
func streamable(format string) bool {
	switch strings.ToLower(format) {
	case "native", "rowbinary", "jsoneachrow", "tsv", "tabseparated", "csv":
		return true
	}
	return false
}

// knownFormat accepts what may be put into SQL after FORMAT.
func knownFormat(format string) bool {
	for i := range len(format) {
		if c := format[i]; c >= 0x80 || !isWordByte(c) {
			return false
		}
	}
	return format != ""
}
