package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

// setDoubt reads what an event says of its ensemble and its explanation, slowly.
func (row *oracleRow) setDoubt(m member) error {
	list, isList := m.value.([]any)
	number, isNumber := m.value.(float64)
	truth, isTruth := m.value.(bool)
	switch {
	case m.key == "explanation":
		some := true
		switch v := m.value.(type) {
		case nil:
			some = false
		case bool:
			some = v
		case string:
			some = strings.TrimSpace(v) != ""
		case []any:
			some = len(v) > 0
		case []member:
			some = len(v) > 0
		}
		row.explanation = &some
		return nil
	case m.value == nil:
		return nil
	case m.key == "disagreement" && isNumber:
		row.disagreement = &number
		return nil
	case m.key == "explained" && isTruth:
		v := share(truth)
		row.explained = &v
		return nil
	case (m.key == "votes" || m.key == "scores") && isList && len(list) <= 64:
		return row.setMembers(m.key, list)
	}
	return errRefused
}

func (row *oracleRow) setMembers(key string, list []any) error {
	classes := map[string]float64{}
	for _, v := range list {
		number, isNumber := v.(float64)
		text, isText := v.(string)
		if b, ok := v.(bool); ok {
			text, isText = fmt.Sprint(b), true
		}
		switch {
		case v == nil:
		case key == "scores" && isNumber:
			row.grades = append(row.grades, number)
		case key == "votes" && (isNumber || isText && len(text) <= maxName):
			class := text
			if isNumber {
				class = string(className(nil, number))
			}
			if _, ok := classes[class]; !ok {
				classes[class] = float64(len(classes))
			}
			row.votes = append(row.votes, classes[class])
		default:
			return errRefused
		}
	}
	return nil
}

// doubt is the decoder's, by counting in maps.
func (row *oracleRow) doubt() {
	if row.explained == nil && row.explanation != nil {
		v := share(*row.explanation)
		row.explained = &v
	}
	if row.disagreement != nil {
		return
	}
	if n := len(row.votes); n >= 2 {
		counts, most := map[float64]int{}, 0
		for _, v := range row.votes {
			counts[v]++
			most = max(most, counts[v])
		}
		v := float64(n-most) / float64(n)
		row.disagreement = &v
	} else if n := len(row.grades); n >= 2 {
		sum, squares := 0.0, 0.0
		for _, g := range row.grades {
			sum += g
		}
		for _, g := range row.grades {
			squares += float64((g - sum/float64(n)) * (g - sum/float64(n)))
		}
		v := squares / float64(n)
		row.disagreement = &v
	}
}

// The values are those of Python's statistics.pvariance and of counting by hand.
func TestDisagreement(t *testing.T) {
	for members, want := range map[string]float64{
		`"votes":["a","a","b"]`:                          1.0 / 3,
		`"votes":["a","a","a","a"]`:                      0,
		`"votes":["a","b","c","d"]`:                      0.75,
		`"votes":["a",null,"b"]`:                         0.5,
		`"votes":[true,"true",false]`:                    1.0 / 3,
		`"votes":[1,1.0,1e0,2]`:                          0.25,
		`"votes":[7,"7"]`:                                0, // a class is its name
		`"votes":["a\u0062","ab","\u0061b"]`:             0,
		`"scores":[0.1,0.4,0.7]`:                         0.06,
		`"scores":[2,4,4,4,5,5,7,9]`:                     4,
		`"scores":[0.5,0.5]`:                             0,
		`"votes":["a"],"scores":[1,3]`:                   1,
		`"votes":["a","b"],"scores":[1,3]`:               0.5,
		`"votes":["a","b"],"disagreement":0.125`:         0.125,
		`"disagreement":null,"scores":[1,3]`:             1,
		`"scores":[-1e300,1e300]`:                        math.Inf(1),
		`"votes":[],"scores":[null,1],"disagreement":-2`: -2,
	} {
		p := NewJSONPredictions(DefaultLimits())
		if err := p.Append(Record{Known: testKnown, Value: []byte(event("," + members))}); err != nil {
			t.Errorf("%s: %v", members, err)
			continue
		}
		if got, ok := p.Disagreement.At(0); !ok || math.Abs(got-want) > 1e-15 {
			t.Errorf("%s: %v, %v; want %v", members, got, ok, want)
		}
	}
	for _, members := range []string{``, `,"votes":null`, `,"votes":["a"]`, `,"scores":[1,null]`, `,"scores":[]`, `,"disagreement":null`} {
		p := NewJSONPredictions(DefaultLimits())
		if err := p.Append(Record{Known: testKnown, Value: []byte(event(members))}); err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Disagreement.At(0); ok {
			t.Errorf("%s: %v of fewer than two members", members, got)
		}
	}
}

func TestExplained(t *testing.T) {
	for members, want := range map[string]string{
		``: "-", `,"explained":null`: "-", `,"explained":true`: "1", `,"explained":false`: "0",
		`,"explanation":{"a":1}`: "1", `,"explanation":"why"`: "1", `,"explanation":[{}]`: "1", `,"explanation":0`: "1", `,"explanation":true`: "1",
		`,"explanation":{ }`: "0", `,"explanation":[]`: "0", `,"explanation":" "`: "0", `,"explanation":null`: "0", `,"explanation":false`: "0",
		`,"explanation":{"a":1},"explained":false`: "0", `,"explained":true,"explanation":null`: "1", `,"explained":null,"explanation":"x"`: "1",
	} {
		p := NewJSONPredictions(DefaultLimits())
		if err := p.Append(Record{Known: testKnown, Value: []byte(event(members))}); err != nil {
			t.Fatal(err)
		}
		if got := optional(&p.Explained, 0); got != want {
			t.Errorf("%s: %s, want %s", members, got, want)
		}
	}
}

func TestEnsembleRefusals(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("1,", 65), ",")
	for members, want := range map[string]Reason{
		`"votes":"a"`: WrongType, `"votes":{}`: TooNested, `"votes":[[]]`: TooNested, `"votes":[` + many + `]`: TooManyFeatures,
		`"votes":["` + strings.Repeat("x", 257) + `"]`: BadValue, `"scores":["a"]`: WrongType, `"scores":[` + many + `]`: TooManyFeatures,
		`"scores":[1,]`: Unparsable, `"scores":[1`: Unparsable, `"disagreement":"a"`: WrongType, `"explained":1`: WrongType, `"explained":"true"`: WrongType,
		`"votes":[],"votes":[]`: DuplicateKey, `"explanation":` + strings.Repeat("[", 20) + strings.Repeat("]", 20): TooNested,
	} {
		p := NewJSONPredictions(DefaultLimits())
		var refused *Error
		if err := p.Append(Record{Known: testKnown, Value: []byte(event("," + members))}); !errors.As(err, &refused) || refused.Reason != want {
			t.Errorf("%.60s: %v, want %s", members, err, want)
		}
		if p.Len() != 0 || len(p.Disagreement.Values) != 0 {
			t.Errorf("%.60s: the columns have changed", members)
		}
	}
}

// Columns of Arrow say what JSON's lists say.
func TestArrowEnsemble(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 8))
	const rows, members = 300, 5
	var events [][]byte
	columns := []column{texts("prediction_id"), texts("model"), texts("deploy_hash"), at(rows)}
	votes, grades := make([]column, members), make([]column, members)
	for m := range members {
		votes[m] = texts(fmt.Sprintf("votes.m%d", m))
		grades[m] = column{fmt.Sprintf("scores.m%d", m), arrow.PrimitiveTypes.Float64, nil}
	}
	votes[3].typ = arrow.PrimitiveTypes.Int64
	for row := range rows {
		e := map[string]any{"prediction_id": fmt.Sprint("p", row), "model": "m", "deploy_hash": "d", "ts": int64(testKnown)}
		for i, name := range []string{"prediction_id", "model", "deploy_hash"} {
			columns[i].rows = append(columns[i].rows, fmt.Sprint(e[name]))
		}
		var said, given []any
		for m := range members {
			vote, grade := null, null
			if r.IntN(3) == 0 {
				vote = fmt.Sprint(r.IntN(3))
				said = append(said, vote)
			}
			if r.IntN(3) == 0 {
				v := math.Round(r.NormFloat64()*1e3) / 1e3
				grade = fmt.Sprint(v)
				given = append(given, v)
			}
			votes[m].rows, grades[m].rows = append(votes[m].rows, vote), append(grades[m].rows, grade)
		}
		e["votes"], e["scores"] = said, given
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, text)
	}
	columns = append(append(columns, votes...), grades...)
	p := NewPredictions(DefaultLimits())
	if err := newArrowPredictions(Source{}, p).Append(Record{Known: testKnown, Value: streamOf(t, columns...)}); err != nil {
		t.Fatal(err)
	}
	plain := NewJSONPredictions(DefaultLimits())
	for _, text := range events {
		if err := plain.Append(Record{Known: testKnown, Value: text}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range rows {
		if a, b := optional(&p.Disagreement, i), optional(&plain.Disagreement, i); a != b {
			t.Fatalf("row %d: %s by columns, %s of %s", i, a, b, events[i])
		}
	}
	if p.Disagreement.Nulls == rows || p.Disagreement.Nulls == 0 {
		t.Errorf("%d of %d rows have no disagreement", p.Disagreement.Nulls, rows)
	}
}

func optional(f *Floats, i int) string {
	if v, ok := f.At(i); ok {
		return fmt.Sprint(v)
	}
	return "-"
}

// A column that is put to is, row by row, what one that is appended to is,
// whatever is truncated between.
func TestPutIsAppend(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 300 {
		var sparse, full Floats
		likely := r.IntN(40)
		for range r.IntN(200) {
			if n := len(full.Values); n > 0 && r.IntN(20) == 0 {
				n = r.IntN(n)
				sparse.truncate(n)
				full.truncate(n)
			}
			v, ok := r.Float64(), r.IntN(40) < likely
			sparse.Put(len(full.Values), v, ok)
			full.Append(v, ok)
		}
		n := len(full.Values)
		for i := range n {
			v, ok := sparse.At(i)
			if w, also := full.At(i); v != w || ok != also {
				t.Fatalf("row %d of %d: %v %v, want %v %v", i, n, v, ok, w, also)
			}
		}
		if sparse.Fill(n); fmt.Sprint(sparse) != fmt.Sprint(full) {
			t.Fatalf("filled it is %v, want %v", sparse, full)
		}
	}
}
