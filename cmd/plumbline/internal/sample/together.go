package sample

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// manyEvents is how many events a sample must have before distinct values mean
// anything.
const manyEvents = 10

// together is what is known of the events as a whole.
type together struct {
	kind     Kind
	events   int
	ids      map[string]int
	features map[string]*seen
}

// seen is what is known of one feature.
type seen struct {
	numeric, texts, numberTexts int
	values                      map[string]struct{}
	identifier                  bool
}

func newTogether(kind Kind) *together {
	return &together{kind: kind, ids: make(map[string]int), features: make(map[string]*seen)}
}

// add takes the row that was decoded last and returns the hints on it alone.
func (t *together) add(d decoder) []string {
	t.events++
	switch d := d.(type) {
	case predictions:
		t.ids[string(d.ID.At(d.Len()-1))]++
		t.addFeatures(d)
		return predictionHints(d)
	case labels:
		t.ids[string(d.ID.At(d.Len()-1))]++
	}
	return nil
}

func (t *together) addFeatures(p predictions) {
	i := p.Len() - 1
	first, last := p.Numbers.Row(i)
	for k := first; k < last; k++ {
		t.feature(p.Features.Value(p.Numbers.Keys[k])).numeric++
	}
	first, last = p.Categories.Row(i)
	for k := first; k < last; k++ {
		value := string(p.Values.Value(p.CategoryValues[k]))
		f := t.feature(p.Features.Value(p.Categories.Keys[k]))
		f.texts++
		f.values[value] = struct{}{}
		if _, err := strconv.ParseFloat(value, 64); err == nil {
			f.numberTexts++
		}
		if looksUnique(value) {
			f.identifier = true
		}
	}
}

func (t *together) feature(name []byte) *seen {
	f := t.features[string(name)]
	if f == nil {
		f = &seen{values: make(map[string]struct{})}
		t.features[string(name)] = f
	}
	return f
}

// hints are about the accepted events together.
func (t *together) hints() []string {
	var hints []string
	if t.kind == Prediction && t.events > 0 && len(t.features) == 0 {
		hints = append(hints, "no event has features: drift of inputs cannot be watched")
	}
	for _, id := range slices.Sorted(maps.Keys(t.ids)) {
		if n := t.ids[id]; n > 1 && t.kind == Prediction {
			hints = append(hints, fmt.Sprintf("prediction_id %s stands %d times: %d count in volume, one in quality", strconv.Quote(id), n, n))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.features)) {
		if text := t.features[name].hint(name, t.events); text != "" {
			hints = append(hints, plain("features."+name)+" "+text)
		}
	}
	return hints
}

// hint is the gravest thing to say of a feature, or "".
func (f *seen) hint(name string, events int) string {
	switch {
	case f.numeric > 0 && f.texts > 0:
		return fmt.Sprintf("is numeric in %d events and categorical in %d: both are kept, in two columns, and reported as a change of type", f.numeric, f.texts)
	case looksPersonal(name):
		return "looks like personal data or a secret by its name: do not send it unless it is meant"
	case looksLikeIdentifier(name) || f.identifier:
		return "looks like an identifier: it has no distribution to watch, and every value is counted; leave it out"
	case f.texts > 0 && f.numberTexts == f.texts:
		return "is a number sent as text: it is counted by value, not on the numeric grid; leave out the quotes"
	case f.texts >= manyEvents && len(f.values)*10 >= f.texts*9:
		return fmt.Sprintf("has %d distinct values in %d of %d events: high cardinality; send a coarser category", len(f.values), f.texts, events)
	}
	return ""
}

// words splits a name at case changes and punctuation: customerId, customer_id.
func words(name string) []string {
	name = regexp.MustCompile(`([a-z0-9])([A-Z])`).ReplaceAllString(name, "${1}_$2")
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

func has(name string, any ...string) bool {
	return slices.ContainsFunc(words(name), func(w string) bool { return slices.Contains(any, w) })
}

func looksLikeIdentifier(name string) bool {
	return has(name, "id", "ids", "uuid", "guid", "key", "hash", "session", "cookie", "ip", "url", "timestamp", "datetime")
}

func looksPersonal(name string) bool {
	return has(name, "email", "mail", "phone", "ssn", "iban", "passport", "birthday", "birthdate", "firstname", "lastname", "surname", "address", "password", "token", "secret")
}

// looksUnique reports whether a value is a UUID, a long hash or an address of
// electronic mail.
func looksUnique(value string) bool {
	return regexp.MustCompile(`^([0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{32,}|[^@\s]+@[^@\s]+\.[a-z]+)$`).MatchString(value)
}
