//go:build linux && amd64

package engine

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxExternal is the most bytes of external tables in one request.
const maxExternal = 64 << 20

// external is a table that comes with a query and lives as long: a part of a
// multipart form, described by <name>_structure or <name>_types and
// <name>_format in the URL.
type external struct {
	name, structure, format string
	data                    []byte
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "multipart/form-data"
}

// isExternalParam says whether a URL parameter of a form describes a table.
func isExternalParam(name string) bool {
	return strings.HasSuffix(name, "_structure") || strings.HasSuffix(name, "_types") || strings.HasSuffix(name, "_format")
}

// readForm takes the tables from a form and returns its query field.
func (q *request) readForm(r *http.Request) (io.Reader, error) {
	if q.access == accessAnalyst {
		return nil, raise(codeReadonly, "READONLY", "Cannot use external tables in readonly mode")
	}
	form, err := r.MultipartReader()
	if err != nil {
		return nil, raise(codeBadArguments, "BAD_ARGUMENTS", "read form: "+err.Error())
	}
	var query io.Reader = strings.NewReader("")
	left := int64(maxExternal)
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return query, nil
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(io.LimitReader(part, left+1))
		}
		if left -= int64(len(data)); err == nil && left < 0 {
			err = fmt.Errorf("external tables are limited to %d bytes", maxExternal)
		}
		if err != nil {
			return nil, raise(codeCannotReadAll, "CANNOT_READ_ALL_DATA", "read form: "+err.Error())
		}
		if part.FormName() == "query" && part.FileName() == "" {
			query = strings.NewReader(string(data))
			continue
		}
		table, err := newExternal(part.FormName(), r.URL.Query(), data)
		if err != nil {
			return nil, err
		}
		q.externals = append(q.externals, table)
	}
}

func newExternal(name string, v url.Values, data []byte) (external, error) {
	t := external{name: name, structure: v.Get(name + "_structure"), format: v.Get(name + "_format"), data: data}
	if t.format == "" {
		t.format = "TabSeparated"
	}
	if types := v.Get(name + "_types"); t.structure == "" && types != "" {
		var columns []string
		for i, typ := range strings.Split(types, ",") {
			columns = append(columns, fmt.Sprintf("_%d %s", i+1, typ))
		}
		t.structure = strings.Join(columns, ", ")
	}
	if name == "" || t.structure == "" || !knownFormat(t.format) {
		return t, raise(codeBadArguments, "BAD_ARGUMENTS", fmt.Sprintf("external table %q needs a name, a structure and a format", clip(name, 64)))
	}
	return t, nil
}

// create makes the table on c, which must not be used again after the query.
func (t external) create(c *conn) error {
	sql := "CREATE TEMPORARY TABLE " + quoteName(t.name) + " (" + t.structure + ") ENGINE = Memory"
	if _, err := parseStatement(sql); err != nil {
		return err
	}
	if err := c.exec(sql); err != nil {
		return err
	}
	s, err := c.startInsert("INSERT INTO "+quoteName(t.name), t.format, nil)
	if err != nil {
		return err
	}
	s.append(t.data) // if refused, done says why
	_, err = s.done()
	return err
}
