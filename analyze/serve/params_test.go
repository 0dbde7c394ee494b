package serve_test

import (
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/serve"
)

func TestParametersAreReadAndEveryMistakeIsNamed(t *testing.T) {
	var model string
	var windows []string
	var why bool
	read := func(query string) string {
		model, windows, why = "", nil, false
		err := serve.Parameters{Texts: map[string]*string{"model": &model}, Lists: map[string]*[]string{"window": &windows}, Flags: map[string]*bool{"why": &why}}.Read(query)
		if err != nil {
			return err.Error()
		}
		return ""
	}
	if err := read("model=a%20b&window=1d&window=7d&why=1"); err != "" || model != "a b" || strings.Join(windows, " ") != "1d 7d" || !why {
		t.Errorf("%q: %q, %q, %t", err, model, windows, why)
	}
	if err := read("why=0&model="); err != "" || why || model != "" {
		t.Errorf("%q: %q, %t", err, model, why)
	}
	for query, wants := range map[string][]string{
		"model=a&model=b":      {"model: give it once"},
		"why=1&why=1":          {"why: give it once"},
		"why=yes":              {`why: "yes" is not 0 or 1`},
		"modle=a&window=1&x=2": {"modle: there is no such parameter; there are model, why, window", "x: there is no such parameter"},
		"model=%zz":            {"query string: "},
	} {
		for _, want := range wants {
			if err := read(query); !strings.Contains(err, want) {
				t.Errorf("%s: %q, want %q", query, err, want)
			}
		}
	}
}
