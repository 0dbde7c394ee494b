package baseline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// class is what one value of a file without types looks like.
type class uint8

const (
	classInt class = iota
	classFloat
	classBool
	classText
	classNested
	classes
)

// strayShare is the share of texts among numbers up to which they are taken for
// mistakes ("n/a", "?") and not for the values of a category.
const strayShare = 0.1

// typing gathers what the values of one column look like.
type typing struct {
	count [classes]int64
	first [classes]int64 // row of the first of each
	value [classes]string
}

func (t *typing) see(c class, value string, row int64) {
	if t.count[c] == 0 {
		t.first[c] = row
		t.value[c] = strings.Clone(value[:min(len(value), 40)])
	}
	t.count[c]++
}

// decide gives every column the kind of what was seen of it, or says why it has none.
func decide(columns []Column, types []typing, o Options) {
	for i := range columns {
		c := &columns[i]
		kind, err := types[i].decide(slices.Contains(o.TextColumns, c.Name))
		if err != nil {
			kind, c.Why = KindUnsupported, err.Error()
		}
		c.Kind = kind
	}
}

// decide returns the kind of the column. A few values that do not fit are an
// error that names the first of them: to count a column of numbers as categories
// because of one "n/a" would be a reference that nothing is comparable with.
func (t *typing) decide(asText bool) (Kind, error) {
	numbers, bools, texts := t.count[classInt]+t.count[classFloat], t.count[classBool], t.count[classText]
	switch {
	case t.count[classNested] > 0:
		return 0, fmt.Errorf("row %d holds an object or a list; leave the column out with --skip, or flatten it", t.first[classNested]+1)
	case numbers+bools+texts == 0:
		return KindNull, nil
	case asText:
		return KindText, nil
	case texts == 0 && bools == 0 && t.count[classFloat] == 0:
		return KindInt, nil
	case texts == 0 && bools == 0:
		return KindFloat, nil
	case texts == 0 && numbers == 0:
		return KindBool, nil
	case numbers == 0 && bools == 0:
		return KindText, nil
	}
	stray, most := classText, numbers
	others := texts
	if bools > 0 && texts == 0 {
		stray, others = classBool, bools
	}
	if numbers == 0 {
		most = bools
	}
	if float64(others) <= strayShare*float64(others+most) || texts == 0 {
		return 0, fmt.Errorf("row %d holds %q, but %d of %d values are %s; if it means no value, say so with --null-value; to count the column by value, name it with --text-columns",
			t.first[stray]+1, t.value[stray], most, most+others, map[bool]string{true: "numbers", false: "booleans"}[numbers > 0])
	}
	return KindText, nil
}

// classify tells what a cell of a CSV file looks like. Digits behind a leading
// zero are a code (a postal code, an account), not a number.
func classify(cell string) class {
	if _, ok := parseBool(cell); ok {
		return classBool
	}
	if isCode(cell) {
		return classText
	}
	if _, err := strconv.ParseInt(cell, 10, 64); err == nil && cell[0] != '+' {
		return classInt
	}
	if _, err := parseNumber(cell); err == nil {
		return classFloat
	}
	return classText
}

func isCode(cell string) bool {
	digits := strings.TrimLeft(cell, "+-")
	return len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9'
}

func parseBool(cell string) (value, ok bool) {
	switch cell {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

// errNumber is the cause of a cell that is no decimal number.
var errNumber = errors.New("is no decimal number")

// parseNumber reads what pandas, R and ClickHouse write: decimal numbers and the
// words for what is not finite. Go's own hexadecimal and underscored numbers are
// text elsewhere. A number beyond float64 is refused, not turned into infinity.
func parseNumber(cell string) (float64, error) {
	switch strings.ToLower(strings.TrimLeft(cell, "+-")) {
	case "nan":
		return math.NaN(), nil
	case "inf", "infinity":
		if strings.HasPrefix(cell, "-") {
			return math.Inf(-1), nil
		}
		return math.Inf(1), nil
	}
	if strings.ContainsFunc(cell, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) {
		return 0, fmt.Errorf("%q %w", cell, errNumber)
	}
	f, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		return 0, fmt.Errorf("%q %w", cell, errNumber)
	}
	return f, nil
}
