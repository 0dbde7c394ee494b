package history

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
)

// Kind says what of a prediction its stratum is taken from.
type Kind string

// The kinds of strata.
const (
	// None is one stratum for all.
	None Kind = "none"
	// Number cuts a numeric feature, Score the score.
	Number Kind = "number"
	Score  Kind = "score"
	// Category takes the values of a text feature, Segment those of a segment,
	// Predicted the predicted class; other values share the stratum 0.
	Category  Kind = "category"
	Segment   Kind = "segment"
	Predicted Kind = "predicted"
)

const (
	// maxStrata bounds the strata of one definition, values that are not listed
	// and numbers that are missing apart.
	maxStrata = 20
	// maxDefinition bounds the text of a definition, which stands in every row.
	maxDefinition = 1000
)

// Strata say which stratum a prediction belongs to. Labels of one stratum are
// taken to arrive alike.
type Strata struct {
	Kind Kind
	// Name is the feature's or the segment's.
	Name string
	// Cuts cut numbers: stratum i holds values over cut i-1 and up to cut i.
	Cuts estimate.Cuts
	// Values are listed values; value i is stratum i+1, all others stratum 0.
	Values []string
}

// NoStrata is one stratum for all.
func NoStrata() Strata { return Strata{Kind: None} }

// String spells the definition as ParseStrata reads it and as the column strata
// holds it: kind:name:cuts or values by commas, in which %, |, colons and commas are
// escaped.
func (s Strata) String() string {
	if s.Kind == None {
		return string(None)
	}
	parts := make([]string, 0, len(s.Cuts)+len(s.Values))
	for _, c := range s.Cuts {
		parts = append(parts, strconv.FormatFloat(c, 'g', -1, 64))
	}
	for _, v := range s.Values {
		parts = append(parts, escape(v))
	}
	text := string(s.Kind)
	if s.named() {
		text += ":" + escape(s.Name)
	}
	if len(parts) > 0 {
		text += ":" + strings.Join(parts, ",")
	}
	return text
}

func (s Strata) named() bool { return s.Kind == Number || s.Kind == Category || s.Kind == Segment }

func (s Strata) numeric() bool { return s.Kind == Number || s.Kind == Score }

// Open reports whether cuts or values are still to be taken from the data.
func (s Strata) Open() bool { return s.Kind != None && len(s.Cuts)+len(s.Values) == 0 }

func escape(s string) string {
	return strings.NewReplacer("%", "%25", ":", "%3A", ",", "%2C", "|", "%7C").Replace(s)
}

func unescape(s string) string {
	return strings.NewReplacer("%25", "%", "%3A", ":", "%2C", ",", "%7C", "|").Replace(s)
}

// ParseStrata reads a definition: none, number:NAME, score, category:NAME,
// segment:NAME or predicted, each but none with cuts that rise or distinct values
// after another colon; without them they are taken from the data.
func ParseStrata(text string) (Strata, error) {
	fail := func(why string) (Strata, error) {
		return Strata{}, fmt.Errorf("strata %q: %s; write none, score, predicted, number:NAME, category:NAME or segment:NAME, and cuts or values by commas after another colon if you like", text, why)
	}
	if len(text) > maxDefinition {
		return Strata{}, fmt.Errorf("strata of %d bytes: at most %d", len(text), maxDefinition)
	}
	parts := strings.Split(text, ":")
	s := Strata{Kind: Kind(parts[0])}
	rest := parts[1:]
	switch {
	case s.Kind == None && len(rest) > 0:
		return fail("none has no values")
	case s.Kind == None:
		return s, nil
	case s.named() && (len(rest) == 0 || rest[0] == ""):
		return fail("there is no name")
	case s.named():
		s.Name, rest = unescape(rest[0]), rest[1:]
	case s.Kind != Score && s.Kind != Predicted:
		return fail("there is no such kind")
	}
	if len(rest) > 1 {
		return fail("there is one colon too many")
	}
	if len(rest) == 0 {
		return s, nil
	}
	if err := s.list(strings.Split(rest[0], ",")); err != nil {
		return fail(err.Error())
	}
	return s, nil
}

// list takes in cuts or values.
func (s *Strata) list(words []string) error {
	if len(words) >= maxStrata {
		return fmt.Errorf("%d cuts or values, less than %d are allowed", len(words), maxStrata)
	}
	for _, word := range words {
		if !s.numeric() {
			if v := unescape(word); word == "" || slices.Contains(s.Values, v) {
				return fmt.Errorf("the value %q is empty or stands twice", v)
			}
			s.Values = append(s.Values, unescape(word))
			continue
		}
		cut, err := strconv.ParseFloat(word, 64)
		if err != nil || math.IsNaN(cut) || math.IsInf(cut, 0) {
			return fmt.Errorf("%q is no number", word)
		}
		if n := len(s.Cuts); n > 0 && s.Cuts[n-1] >= cut {
			return errors.New("cuts have to rise")
		}
		s.Cuts = append(s.Cuts, cut)
	}
	return nil
}

// Title names one stratum for people.
func (s Strata) Title(stratum estimate.Stratum) string {
	i := int(stratum)
	name := s.Name
	if name == "" {
		name = string(s.Kind)
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	switch {
	case s.Kind == None:
		return "all"
	case !s.numeric() && (i < 1 || i > len(s.Values)):
		return name + ": other"
	case !s.numeric():
		return name + " = " + s.Values[i-1]
	case i > len(s.Cuts):
		return name + ": missing"
	case len(s.Cuts) == 0:
		return name
	case i == 0:
		return name + " <= " + number(s.Cuts[0])
	case i == len(s.Cuts):
		return name + " > " + number(s.Cuts[i-1])
	}
	return name + " in (" + number(s.Cuts[i-1]) + ", " + number(s.Cuts[i]) + "]"
}

// sql is the ClickHouse expression of a row's stratum. The names and values are
// query parameters.
func (s Strata) sql() string {
	cut := func(present, value string) string {
		return "if(" + present + ", toInt32(arrayCount(c -> " + value + " > c, {stratum_cuts:Array(Float64)})), toInt32(length({stratum_cuts:Array(Float64)}) + 1))"
	}
	listed := func(value string) string {
		return "toInt32(indexOf({stratum_values:Array(String)}, toString(" + value + ")))"
	}
	switch s.Kind {
	case Number:
		return cut("mapContains(numbers, {stratum_name:String}) AND NOT isNaN(numbers[{stratum_name:String}])", "numbers[{stratum_name:String}]")
	case Score:
		return cut("isNotNull(score) AND NOT isNaN(assumeNotNull(score))", "assumeNotNull(score)")
	case Category:
		return listed("categories[{stratum_name:String}]")
	case Segment:
		return listed("segments[{stratum_name:String}]")
	case Predicted:
		return listed("predicted")
	}
	return "toInt32(0)"
}

// ofOutcome reports whether a row of outcomes says itself which stratum it is of.
func (s Strata) ofOutcome() bool { return s.Kind == None || s.Kind == Score || s.Kind == Predicted }

func (s Strata) parameters() []any {
	cuts, values := []float64(s.Cuts), s.Values
	if cuts == nil {
		cuts = []float64{}
	}
	if values == nil {
		values = []string{}
	}
	return []any{
		clickhouse.Named("stratum_name", s.Name),
		clickhouse.Named("stratum_cuts", cuts), clickhouse.Named("stratum_values", values),
	}
}
