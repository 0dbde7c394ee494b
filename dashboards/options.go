package dashboards

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
)

// DefaultPage is where the page in the binary is linked to unless WithPage says
// otherwise.
const DefaultPage = "http://127.0.0.1:9470"

// Option changes what is generated.
type Option func(*settings)

type settings struct {
	page       string
	runbooks   string
	objectives []plumbline.Objective
	partial    []plumbline.Model
	directory  string
}

// WithPage sets the absolute URL under which the page in the binary is served,
// for the dashboard's links. Empty keeps DefaultPage.
func WithPage(base string) Option {
	return func(s *settings) {
		if base != "" {
			s.page = strings.TrimSuffix(base, "/")
		}
	}
}

// WithRunbooks sets the URL to which "/NAME" of a runbook is appended; one that
// begins with a slash is below the page. Default: the page's own /runbooks.
func WithRunbooks(base string) Option {
	return func(s *settings) { s.runbooks = strings.TrimSuffix(base, "/") }
}

// WithDirectory sets where Grafana finds the files that Write writes, if that is
// another path than the one given to Write, as in a container.
func WithDirectory(path string) Option {
	return func(s *settings) { s.directory = path }
}

// WithObjectives declares the SLOs whose thresholds and targets are drawn.
func WithObjectives(objectives ...plumbline.Objective) Option {
	return func(s *settings) { s.objectives = objectives }
}

// WithPartial names the models that decide themselves which of their predictions
// ever get a label. Of their accuracy the panels show bounds, never what the labels
// that are in would say of it.
func WithPartial(models ...plumbline.Model) Option {
	return func(s *settings) { s.partial = models }
}

func newSettings(opts []Option) (settings, error) {
	s := settings{page: DefaultPage}
	for _, opt := range opts {
		opt(&s)
	}
	switch {
	case s.runbooks == "":
		s.runbooks = s.page + "/runbooks"
	case strings.HasPrefix(s.runbooks, "/"):
		s.runbooks = s.page + s.runbooks
	}
	return s, s.validate()
}

func (s settings) validate() error {
	var errs []error
	for name, base := range map[string]string{"page": s.page, "runbooks": s.runbooks} {
		u, err := url.Parse(base)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			errs = append(errs, fmt.Errorf("dashboards: %s URL %q is not an absolute http or https URL", name, base))
		}
	}
	for _, o := range s.objectives {
		errs = append(errs, validate(o))
	}
	return errors.Join(errs...)
}

func validate(o plumbline.Objective) error {
	// Grafana replaces variables everywhere in a query, inside strings too.
	if strings.Contains(string(o.SLO.Name)+string(o.SLO.Model), "$") {
		return fmt.Errorf("dashboards: SLO %q of model %q: Grafana would read the $ as a variable", o.SLO.Name, o.SLO.Model)
	}
	for _, p := range o.Pairs {
		threshold := p.Threshold(o.SLO.Target)
		if math.IsNaN(threshold) || threshold <= 0 {
			return fmt.Errorf("dashboards: SLO %q: threshold %v of its %s pair is not positive", o.SLO.Name, threshold, plumbline.WindowName(p.Long))
		}
	}
	return nil
}

// objectivesSQL spells the objectives as a ClickHouse array of named tuples,
// one a window pair. The cast gives the empty list its type.
func objectivesSQL(objectives []plumbline.Objective) string {
	var rows []string
	for _, o := range objectives {
		// Its target is one of the accuracy that panels show: of all traffic.
		onAccuracy := o.SLO.SLI.Is(plumbline.SLIQuality) && o.SLO.Segment == ""
		for _, p := range o.Pairs {
			rows = append(rows, fmt.Sprintf("(%s, %s, %s, %s, %s, %s, %s, %t, %t, %s)",
				quoteSQL(string(o.SLO.Name)), quoteSQL(string(o.SLO.Model)), number(o.SLO.Target), quoteSQL(p.Severity),
				quoteSQL(plumbline.WindowName(p.Long)), quoteSQL(plumbline.WindowName(p.Short)), number(p.Threshold(o.SLO.Target)), onAccuracy,
				o.SLO.SLI.Is(plumbline.SLIQuality), number(p.Noise)))
		}
	}
	return "CAST([" + strings.Join(rows, ", ") + "], 'Array(Tuple(slo String, model String, target Float64, severity String, long String, short String, threshold Float64, on_accuracy Bool, on_labels Bool, noise Float64))')"
}

// modelsSQL spells models as a ClickHouse array of their names. A $ is written as its
// code: Grafana would read it as a variable, inside strings too.
func modelsSQL(models []plumbline.Model) string {
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = strings.ReplaceAll(quoteSQL(string(m)), "$", `\x24`)
	}
	return "CAST([" + strings.Join(names, ", ") + "], 'Array(String)')"
}

// number prints 9 digits: (1 - 0.9) in floating point would otherwise show its
// rounding error on the dashboard.
func number(f float64) string { return strconv.FormatFloat(f, 'g', 9, 64) }

// quoteSQL is the one place where a name enters the SQL text of a dashboard.
func quoteSQL(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
