package sample

import (
	"fmt"
	"strconv"
	"strings"
)

// answers are what predictions, or labels, of one model are sent as.
type answers struct {
	model, field           string
	numbers, bits, classes int
}

// NumberHints are about numbers where classes are meant: a number makes a regression,
// whatever it stands for. classes are the models whose answers are declared to be
// classes, each with one of them, or "" if none is named.
func (r Report) NumberHints(classes map[string]string) []string {
	var hints []string
	for _, a := range r.answers() {
		class, declared := classes[a.model]
		example := `"1" or true`
		if class != "" {
			example = strconv.Quote(class)
		}
		switch {
		case declared && a.numbers > 0:
			hints = append(hints, fmt.Sprintf("%s of model %q is a number in %d events, but the configuration declares classes: send a text or a boolean, such as %s, or set classes: true of the source where a platform writes the events", a.field, a.model, a.numbers, example))
		case a.numbers > 0 && a.numbers == a.bits && a.classes == 0:
			hints = append(hints, fmt.Sprintf("%s of model %q is the number 0 or 1 in all of %d events: numbers make it a regression; if they are classes, send %s, or set classes: true of the source where a platform writes the events", a.field, a.model, a.numbers, example))
		}
	}
	return hints
}

// answers counts the accepted events by model, and predictions and labels apart, in
// order of the sample.
func (r Report) answers() []*answers {
	var all []*answers
	of := map[[2]string]*answers{}
	for _, e := range r.Events {
		if e.Refused != nil || e.Skipped != "" {
			continue
		}
		model := ""
		for _, f := range e.Fields {
			switch f.Name {
			case "model":
				model, _ = strconv.Unquote(f.Value)
			case "predicted", "label":
				key := [2]string{model, f.Name}
				if of[key] == nil {
					of[key] = &answers{model: model, field: f.Name}
					all = append(all, of[key])
				}
				of[key].add(f.Value)
			}
		}
	}
	return all
}

// add counts one answer as it is described.
func (a *answers) add(described string) {
	number, isNumber := strings.CutPrefix(described, "number ")
	switch {
	case isNumber:
		a.numbers++
		if number == "0" || number == "1" {
			a.bits++
		}
	case strings.HasPrefix(described, "class "):
		a.classes++
	}
}
