package decode

import (
	"fmt"
	"strings"
	"testing"
)

// rowsOf reads the rows of a request's body with as many answers as there are, by
// the shapes that have bodies, and returns its features by identifier.
func rowsOf(t *testing.T, format Format, body, answers string) (string, error) {
	t.Helper()
	s := Source{Format: format, Model: "m", Deploy: "d", Holds: []Kind{KindPredictions}}
	value := fmt.Appendf(nil, `{"databricks_request_id":"r","timestamp_ms":%d,"status_code":200,"request":%q,"response":%q}`, int64(testKnown), body, answers)
	if format == FormatSageMaker {
		kind := "application/json"
		if strings.Contains(body, "\n") {
			kind = "application/jsonlines"
		}
		half := `"endpoint%s":{"observedContentType":%q,"encoding":"JSON","data":%q}`
		value = fmt.Appendf(nil, `{"captureData":{`+half+`,`+half+`},"eventMetadata":{"eventId":"r","inferenceTime":"2026-09-21T14:13:20Z"}}`, "Input", kind, body, "Output", kind, answers)
	}
	d, c := openShape(t, s)
	err := d.Append(Record{Known: testKnown, Value: value})
	var all []string
	for i := range c.Predictions.Len() {
		r := readRow(c.Predictions, i)
		all = append(all, strings.ReplaceAll(fmt.Sprintf("%s %v %v %v", r.id, r.numbers, r.categories, *r.score), "map[]", "-"))
	}
	return strings.Join(all, "; "), err
}

// Under a name that says rows each element of an array is one, also a plain one;
// an array that stands alone is a row of its values.
func TestRowsOfBodies(t *testing.T) {
	for _, c := range []struct{ body, answers, want string }{
		{`{"inputs":["good","bad"]}`, `{"predictions":[0.9,0.1]}`, `r/0 - map[f0:good] 0.9; r/1 - map[f0:bad] 0.1`},
		{`{"instances":[1,2]}`, `[0.9,0.1]`, `r/0 map[f0:1] - 0.9; r/1 map[f0:2] - 0.1`},
		{`{"data":["x"],"signature_name":"s"}`, `[0.9]`, `r - map[f0:x] 0.9`},
		{`{"instances":["x",[1,2]]}`, `[0.9,0.1]`, `r/0 - map[f0:x] 0.9; r/1 map[f0:1 f1:2] - 0.1`},
		{`["good","bad"]`, `[0.5]`, `r - map[f0:good f1:bad] 0.5`},
		{`[[1],[2]]`, `[0.9,0.1]`, `r/0 map[f0:1] - 0.9; r/1 map[f0:2] - 0.1`},
		// A feature may be called as a wrapper is.
		{`{"age":31,"data":"x"}`, `[0.5]`, `r map[age:31] map[data:x] 0.5`},
		{`{"instances":2,"age":31}`, `[0.5]`, `r map[age:31 instances:2] - 0.5`},
		{`{"data":"x"}`, `[0.5]`, `r - map[f0:x] 0.5`},
		{`{"inputs":"x","parameters":{"k":1}}`, `[0.5]`, `r - map[f0:x] 0.5`},
		{`{"data":"x","inputs":[1,2]}`, `[0.9,0.1]`, `r/0 map[f0:1] - 0.9; r/1 map[f0:2] - 0.1`},
	} {
		for _, format := range []Format{FormatMLflow, FormatSageMaker} {
			if got, err := rowsOf(t, format, c.body, c.answers); err != nil || got != c.want {
				t.Errorf("%s: %s is read as %s (%v), want %s", format, c.body, got, err, c.want)
			}
		}
	}
	if got, err := rowsOf(t, FormatSageMaker, "\"good\"\n\"bad\"\n", "0.9\n0.1\n"); err != nil || got != `r/0 - map[f0:good] 0.9; r/1 - map[f0:bad] 0.1` {
		t.Errorf("JSON lines of texts are read as %s (%v)", got, err)
	}
}

// Both halves of an Azure exchange have the same rows, so the same identifiers.
func TestAzureHalvesHaveTheSameRows(t *testing.T) {
	for _, data := range [][2]string{{`["good","bad"]`, `[0.9,0.1]`}, {`["good"]`, `[0.9]`}, {`[[1,2],[3,4]]`, `[0.9,0.1]`}, {`{"data":["good","bad"]}`, `[0.9,0.1]`}} {
		d, c := openShape(t, Source{Format: FormatAzureML, Model: "m", Deploy: "d", Holds: []Kind{KindPredictions}})
		var ids [2]string
		for i, half := range []string{HalfRequest, HalfResponse} {
			value := fmt.Sprintf(`{"specversion":"1.0","type":"azureml.inference.%s","time":"2026-09-21T14:13:20Z","source":"x","correlationid":"r","data":%s}`, half, data[i])
			before := c.Predictions.Len()
			if err := d.Append(Record{Known: testKnown, Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
			for row := before; row < c.Predictions.Len(); row++ {
				ids[i] += string(c.Predictions.ID.At(row)) + " "
			}
		}
		if ids[0] != ids[1] {
			t.Errorf("%s is %s, its answer %s", data[0], ids[0], ids[1])
		}
	}
}

// A blank line at the end of CSV is no prediction, and does not number the one
// before it; one between others counts, as every line has its answer.
func TestBlankLinesOfCSV(t *testing.T) {
	for body, want := range map[string]string{
		"1,2\n\n": "e ", "1,2\r\n\r\n\r\n": "e ", "1,2\n3,4\n\n": "e/0 e/1 ", "1\n\n3\n": "e/0 e/1 e/2 ", "1,2\n,\n": "e/0 e/1 ", "\n": "", "\n\n": "",
	} {
		d, c := openShape(t, Source{Format: FormatSageMaker, Model: "m", Deploy: "d", Holds: []Kind{KindPredictions}})
		value := fmt.Appendf(nil, `{"captureData":{"endpointInput":{"observedContentType":"text/csv","encoding":"CSV","data":%q}},"eventMetadata":{"eventId":"e","inferenceTime":"2026-09-21T14:13:20Z"}}`, body)
		err := d.Append(Record{Known: testKnown, Value: value})
		got := ""
		for i := range c.Predictions.Len() {
			got += string(c.Predictions.ID.At(i)) + " "
		}
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %s (%v), want %s", body, got, err, want)
		}
	}
}

// Answers that stand elsewhere than under predictions are found by a pointer. One
// that reads an answer of several would lose the others.
func TestAnswersPointer(t *testing.T) {
	const two = `{"scores":[{"score":0.02},{"score":0.25}]}`
	const top = `{"result":[{"label":"a","p":0.9},{"label":"b","p":0.1}]}`
	for _, c := range []struct {
		options Tabular
		rows    int // that were sent; 0 where only the answers are captured
		answers string
		want    string
	}{
		{Tabular{Answers: "/scores", Score: "/score"}, 0, two, "r/0 0.02; r/1 0.25"},
		{Tabular{Answers: "/scores"}, 2, two, "r/0 0.02; r/1 0.25"},
		{Tabular{Answers: "/a/0/b"}, 2, `{"a":[{"b":[0.5,0.75]}]}`, "r/0 0.5; r/1 0.75"},
		{Tabular{Answers: "/scores"}, 2, `{"scores":[0.5]}`, "1 answers for 2 rows"},
		{Tabular{Answers: "/grades"}, 2, two, "answers pointer /grades leads nowhere"},
		{Tabular{Answers: "/predictions"}, 1, `{"predictions":[0.5]}`, "r 0.5"},
		{Tabular{Answers: "/result/0", Score: "/p"}, 0, top, "r 0.9"},
		{Tabular{Score: "/scores/0/score"}, 0, two, "/scores/0/score reads one of 2 elements, which may be the answers of as many rows; set answers of the source"},
		{Tabular{Predicted: "/result/0/label"}, 0, top, "set answers of the source"},
		{Tabular{}, 0, two, "set answers of the source"},
		{Tabular{Score: "/result/0/p"}, 1, top, "r 0.9"}, // one row was sent
		{Tabular{Score: "/p/1"}, 0, `{"p":[0.25,0.75]}`, "r 0.75"},
		{Tabular{Score: "/top/0/p"}, 0, `{"predictions":[{"top":[{"p":0.5},{"p":0.1}]},{"top":[{"p":0.25},{"p":0.1}]}]}`, "r/0 0.5; r/1 0.25"},
	} {
		d, columns := openShape(t, Source{Format: FormatSageMaker, Model: "m", Deploy: "d", Holds: []Kind{KindPredictions}, Tabular: c.options})
		input := ""
		if c.rows > 0 {
			input = fmt.Sprintf(`"endpointInput":{"observedContentType":"text/csv","encoding":"CSV","data":%q},`, strings.Repeat("1,2\n", c.rows))
		}
		value := fmt.Sprintf(`{"captureData":{%s"endpointOutput":{"observedContentType":"application/json","encoding":"JSON","data":%q}},"eventMetadata":{"eventId":"r","inferenceTime":"2026-09-21T14:13:20Z"}}`, input, c.answers)
		got := fmt.Sprint(d.Append(Record{Known: testKnown, Value: []byte(value)}))
		if p := columns.Predictions; p.Len() > 0 {
			var rows []string
			for i := range p.Len() {
				v, _ := p.Score.At(i)
				rows = append(rows, fmt.Sprintf("%s %v", p.ID.At(i), v))
			}
			got = strings.Join(rows, "; ")
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%+v: %s for %d rows: %s, want %s", c.options, c.answers, c.rows, got, c.want)
		}
	}
}
