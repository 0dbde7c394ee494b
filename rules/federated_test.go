package rules

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// A Prometheus that scrapes what docs/slo.md says has every series that the generated
// rules read and do not record themselves, or their alerts would be silent there for
// ever.
func TestWhatIsFederatedIsWhatRulesRead(t *testing.T) {
	page, err := os.ReadFile("../docs/slo.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`params: \{"match\[\]": \[(.*)\]\}`).FindStringSubmatch(string(page))
	if line == nil {
		t.Fatal("docs/slo.md says nothing of what to scrape")
	}
	p := parser.NewParser(parser.Options{})
	var federated [][]*labels.Matcher
	for _, quoted := range strings.Split(line[1], "', ") {
		selector, err := p.ParseMetricSelector(strings.Trim(quoted, "'"))
		if err != nil {
			t.Fatal(err)
		}
		federated = append(federated, selector)
	}
	slos, err := ParseFiles("testdata/flights.yml", "testdata/openslo/kinds.yml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := Generate(slos, linked())
	if err != nil {
		t.Fatal(err)
	}
	recorded, read := map[string]bool{}, map[string]bool{}
	for _, g := range mustLoad(t, text).Groups {
		for _, r := range g.Rules {
			recorded[r.Record] = true
			expr, err := p.ParseExpr(r.Expr)
			if err != nil {
				t.Fatal(err)
			}
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				if s, ok := n.(*parser.VectorSelector); ok {
					read[s.Name] = true
				}
				return nil
			})
		}
	}
	for name := range read {
		found := recorded[name]
		for _, selector := range federated {
			found = found || matches(labels.FromStrings(model.MetricNameLabel, name), selector)
		}
		if !found {
			t.Errorf("rules read %s, which is not federated", name)
		}
	}
}
