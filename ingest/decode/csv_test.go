package decode

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func readCSV(t *tree, document string) (string, *Error) {
	at, err := t.root([]byte(`"csv"`))
	if err == nil {
		at, err = t.csv(at, []byte(document))
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprint(t.plain(at)), nil
}

func TestCSV(t *testing.T) {
	tr := newTree(DefaultLimits())
	for document, want := range map[string]string{
		"":                          "[]",
		"1,2.5,x\n":                 "[[1 2.5 x]]",
		"1,2\r\n3,4\r\n":            "[[1 2] [3 4]]",
		"1,2\n\n\r\n":               "[[1 2]]",
		"\n":                        "[]",
		"\n\n1":                     "[[<nil>] [<nil>] [1]]",
		"a,,\n,":                    "[[a <nil> <nil>] [<nil> <nil>]]",
		`"a,b","say ""x""","1"`:     `[[a,b say "x" 1]]`,
		"\"two\nlines\",3":          "[[two\nlines 3]]",
		" 1 ,\t-2e3 , .5, +7":       "[[1 -2000 0.5 7]]",
		"nan,NaN,-inf,Infinity":     "[[NaN NaN -Inf +Inf]]",
		"2026-01-01,1-2,0x10,1_000": "[[2026-01-01 1-2 0x10 1_000]]",
		"-,.,e,1e5e,nano,-name":     "[[- . e 1e5e nano -name]]",
		"-nan,+NaN,-NAN,+inf,-INF":  "[[NaN NaN NaN +Inf -Inf]]",
		"5e-324,0e-999,\"1e999\"":   "[[5e-324 0 1e999]]",
		"\"\"\r\n\"a\"\r\n":         "[[] [a]]",
	} {
		if got, err := readCSV(tr, document); err != nil || got != want {
			t.Errorf("%q is read as %s (%v), want %s", document, got, err, want)
		}
	}
	for document, want := range map[string]Reason{
		"a\"b": Unparsable, `"a`: Unparsable, `"a"b`: Unparsable, `"a""`: Unparsable, "\xff": BadText, "a\x00": BadText, "\"\xff\"": BadText,
		"1e999": BadValue, "-1e400,2": BadValue, "1,1e-400": BadValue, "-0.1E-400\n": BadValue,
	} {
		if got, err := readCSV(tr, document); err == nil || err.Reason != want {
			t.Errorf("%q is read as %s (%v), want it refused: %s", document, got, err, want)
		}
	}
}

// FuzzCSV compares the reader with encoding/csv where both read a document.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"1,2\n", "a,\"b\"\"c\"\r\n,\n", "\n\n1", "1\n\n", "x, y ,z", "\"a\nb\",c\nd,e"} {
		f.Add(s)
	}
	tr := newTree(DefaultLimits())
	f.Fuzz(func(t *testing.T, document string) {
		at, err := tr.root([]byte(`"csv"`))
		if err == nil {
			at, err = tr.csv(at, []byte(document))
		}
		// The standard library leaves out all empty lines, which only lines of blanks
		// look like here, and reads \r\n in quotes as \n.
		if slices.ContainsFunc(strings.Split(document, "\n"), func(line string) bool { return line != "" && strings.Trim(line, " \t") == "" }) {
			return
		}
		reader := csv.NewReader(strings.NewReader(document))
		reader.FieldsPerRecord = -1
		want, theirs := reader.ReadAll()
		if err != nil || theirs != nil || strings.Contains(document, "\r") {
			return
		}
		line := tr.first(at)
		for _, fields := range want {
			for tr.size(line) == 1 && tr.kind(tr.first(line)) == isNull {
				line = tr.next(line) // an empty line
			}
			if tr.size(line) != len(fields) {
				t.Fatalf("%q: a line of %d fields, want %q", document, tr.size(line), fields)
			}
			i := 0
			for field := tr.first(line); field != 0; field = tr.next(field) {
				if got, want := tr.text(field), bytes.Trim([]byte(fields[i]), " \t"); !bytes.Equal(bytes.Trim(got, " \t"), want) {
					t.Fatalf("%q: field %q, want %q", document, got, want)
				}
				i++
			}
			line = tr.next(line)
		}
	})
}

// XGBoost answers multi:softprob in CSV as Python writes a list.
func TestListsInBrackets(t *testing.T) {
	second := Tabular{Score: "/1"}
	for _, c := range []struct {
		rows    int // that were sent; 0 where only the answers are captured
		answers string
		options Tabular
		want    string
	}{
		{1, "[0.3, 0.7]", second, "e 0.7"},
		{1, "[0.3, 0.7]\r\n", second, "e 0.7"},
		{1, "[0.1, 0.2, 0.7]", Tabular{Score: "/2", Predicted: "/0"}, "e 0.7=0.1"},
		{2, "[0.3, 0.7],[0.6, 0.4]", second, "e/0 0.7 e/1 0.4"},
		{2, "[0.3, 0.7]\n[0.6, 0.4]\n", second, "e/0 0.7 e/1 0.4"},
		{2, "[0.3,nan] , [ -1e-3 ,+4]", second, "e/0 NaN e/1 4"},
		{0, "[0.3, 0.7],[0.6, 0.4]", second, "e/0 0.7 e/1 0.4"},
		{2, "[0.3],[0.6]", Tabular{}, "e/0 0.3 e/1 0.6"},
		{2, "[0.3, 0.7]", second, "1 answers for 2 rows"}, // not two answers of one number
		{1, "[0.3, 0.7]", Tabular{}, "set score or predicted of the source"},
		{1, "[0.3 0.7]", Tabular{}, "a list in brackets in CSV holds numbers"},
		{1, "[[0.3, 0.7]]", second, "a list in brackets in CSV holds numbers"},
		{1, "[0.3, late]", second, "a list in brackets in CSV holds numbers"},
		{1, "[0.3, 0.7", second, "a list in brackets in CSV holds numbers"},
		{1, "[0.3, 0.7]x", second, "a list in brackets in CSV holds numbers"},
		{2, "[0.3, 0.7],,[0.6, 0.4]", second, "a list in brackets in CSV holds numbers"},
		{1, "[0.3, 1e400]", second, "does not fit a float64"},
		{1, "[unk]", Tabular{}, "e =[unk]"}, // a class may be called so
	} {
		d, columns := openShape(t, Source{Format: FormatSageMaker, Model: "m", Deploy: "d", Holds: []Kind{KindPredictions}, Tabular: c.options})
		input := ""
		if c.rows > 0 {
			input = fmt.Sprintf(`"endpointInput":{"observedContentType":"text/csv","encoding":"CSV","data":%q},`, strings.Repeat("[1,2\n", c.rows))
		}
		value := fmt.Sprintf(`{"captureData":{%s"endpointOutput":{"observedContentType":"text/csv","encoding":"CSV","data":%q}},"eventMetadata":{"eventId":"e","inferenceTime":"2026-09-21T14:13:20Z"}}`, input, c.answers)
		got := fmt.Sprint(d.Append(Record{Known: testKnown, Value: []byte(value)}))
		if p := columns.Predictions; p.Len() > 0 {
			var rows []string
			for i := range p.Len() {
				row := string(p.ID.At(i)) + " "
				if v, ok := p.Score.At(i); ok {
					row += fmt.Sprint(v)
				}
				if v, ok := p.PredictedValue.At(i); ok {
					row += fmt.Sprint("=", v)
				} else if class := p.Predicted.At(i); len(class) > 0 {
					row += "=" + string(class)
				}
				rows = append(rows, row)
			}
			got = strings.Join(rows, " ")
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%q for %d rows: %s, want %s", c.answers, c.rows, got, c.want)
		}
	}
}
