package alerting

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"

	plumbline "github.com/plumbline-slo/plumbline"
)

// undeclared is the receiver of what no owner answers for: recorded, not sent.
const undeclared = "undeclared"

func receiverName(o plumbline.Owner) string { return "owner/" + url.PathEscape(string(o)) }

// The parts of alertmanager.yml that are generated.
type (
	routeFile struct {
		Route        routeNode     `yaml:"route"`
		InhibitRules []inhibitNode `yaml:"inhibit_rules"`
		Receivers    []receiverRef `yaml:"receivers"`
		Intervals    []any         `yaml:"time_intervals,omitempty"`
	}
	routeNode struct {
		Receiver       string         `yaml:"receiver"`
		GroupBy        []string       `yaml:"group_by,omitempty"`
		Matchers       []string       `yaml:"matchers,omitempty"`
		GroupWait      model.Duration `yaml:"group_wait,omitempty"`
		GroupInterval  model.Duration `yaml:"group_interval,omitempty"`
		RepeatInterval model.Duration `yaml:"repeat_interval,omitempty"`
		Continue       bool           `yaml:"continue,omitempty"`
		Routes         []any          `yaml:"routes,omitempty"`
	}
	inhibitNode struct {
		Name   string   `yaml:"name"`
		Source []string `yaml:"source_matchers"`
		Target []string `yaml:"target_matchers"`
		Equal  []string `yaml:"equal"`
	}
	receiverRef struct {
		Name string `yaml:"name"`
	}
)

// RoutesYAML returns the alertmanager.yml that the owner registry makes: one
// route for each owner, of objectives that name it though the model is another's, and
// one for each model, grouped by the identity of an incident, with one more
// where the owner escalates; one for the alerts without a model, which are about
// the service itself; before them the heartbeat's and the user's own route; and
// rules by which a page inhibits the tickets of its model and deploy, and those
// of other models that share its feature job or dataset.
//
// Severity does not part the routes: a ticket and the page it becomes are one
// incident with one message; PagerDuty's notifier leaves tickets out.
func RoutesYAML(c Config) ([]byte, error) {
	file := routeFile{
		Route: routeNode{
			Receiver:  undeclared,
			GroupBy:   []string{plumbline.LabelModel, plumbline.LabelDeploy, plumbline.LabelSLO},
			GroupWait: model.Duration(c.GroupWait), GroupInterval: model.Duration(c.GroupInterval),
			RepeatInterval: model.Duration(c.RepeatInterval),
		},
		InhibitRules: []inhibitNode{{
			Name: "a page inhibits the tickets of its deploy",
			// Without a model the equal labels are equally missing.
			Source: []string{matcher(plumbline.LabelSeverity, plumbline.SeverityPage), anyModel},
			Target: []string{matcher(plumbline.LabelSeverity, plumbline.SeverityTicket), anyModel},
			Equal:  []string{plumbline.LabelModel, plumbline.LabelDeploy},
		}},
		Receivers: []receiverRef{{Name: undeclared}, {Name: heartbeat}},
		Intervals: c.TimeIntervals,
	}
	for _, label := range []string{plumbline.LabelFeatureJob, plumbline.LabelDatasetHash} {
		file.InhibitRules = append(file.InhibitRules, correlated(label))
	}
	file.Route.Routes = append(file.Route.Routes, heartbeatRoute())
	own, err := c.ownRoute()
	if err != nil {
		return nil, err
	}
	if own != nil {
		file.Route.Routes = append(file.Route.Routes, own)
	}
	for _, o := range c.Owners {
		file.Receivers = append(file.Receivers, receiverRef{Name: receiverName(o.Name)})
		if o.Escalation != nil {
			file.Receivers = append(file.Receivers, receiverRef{Name: escalationName(o)})
		}
		file.Route.Routes = append(file.Route.Routes, routesTo(o, namedBySLO(o))...)
	}
	for _, o := range c.Owners {
		for _, m := range o.Models {
			file.Route.Routes = append(file.Route.Routes, routesTo(o, []string{matcher(plumbline.LabelModel, string(m))})...)
		}
	}
	file.Route.Routes = append(file.Route.Routes, serviceRoute(c))
	out, err := yaml.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("write routes: %w", err)
	}
	return out, nil
}

// routesTo are the routes to an owner, and to whom its pages escalate.
func routesTo(o plumbline.OwnerEntry, matchers []string) []any {
	to := routeNode{Receiver: receiverName(o.Name), Matchers: matchers, Continue: o.Escalation != nil}
	if o.Escalation == nil {
		return []any{to}
	}
	return []any{to, routeNode{Receiver: escalationName(o), Matchers: matchers}}
}

// namedBySLO matches the alerts of objectives that name an owner for models that are
// not that owner's: of its own models the routes by model have them, whose matchers are
// part of what the notification log knows an incident by.
func namedBySLO(o plumbline.OwnerEntry) []string {
	matchers := []string{matcher(plumbline.LabelOwner, string(o.Name)), anyModel}
	for _, m := range o.Models {
		matchers = append(matchers, (&labels.Matcher{Type: labels.MatchNotEqual, Name: plumbline.LabelModel, Value: string(m)}).String())
	}
	return matchers
}

// escalationName is the receiver of an owner's pages that nobody acknowledged.
func escalationName(o plumbline.OwnerEntry) string {
	return "escalation/" + url.PathEscape(string(o.Name)) + "/" + url.PathEscape(string(o.Escalation.To))
}

// correlated is the rule by which a page inhibits the tickets of other models
// that share what went wrong before either of them.
func correlated(label string) inhibitNode {
	return inhibitNode{
		Name:   "a page inhibits the tickets of its " + label,
		Source: []string{matcher(plumbline.LabelSeverity, plumbline.SeverityPage), label + `!=""`},
		Target: []string{matcher(plumbline.LabelSeverity, plumbline.SeverityTicket), label + `!=""`},
		Equal:  []string{label},
	}
}

// ownRoute returns the configured route, of models' alerts alone, with the receivers' names as the
// generated file has them, nil without one.
func (c Config) ownRoute() (any, error) {
	if len(c.Route) == 0 {
		return nil, nil
	}
	owners := make(map[string]bool, len(c.Owners))
	for _, o := range c.Owners {
		owners[string(o.Name)] = true
	}
	own, err := renamed(c.Route, "route", owners)
	if err != nil {
		return nil, err
	}
	// The alerts about the service have no model and are grouped otherwise: in one
	// group of the own route two of them would be one incident.
	matchers, ok := own["matchers"].([]any)
	if _, given := own["matchers"]; given && !ok {
		return nil, errors.New("route.matchers: is no list")
	}
	own["matchers"] = append([]any{anyModel}, matchers...)
	return own, nil
}

func renamed(route map[string]any, at string, owners map[string]bool) (map[string]any, error) {
	out := make(map[string]any, len(route))
	for key, value := range route {
		switch key {
		case "group_by":
			return nil, fmt.Errorf("%s.group_by: is not allowed; an incident is one model, deploy and SLO", at)
		case "receiver":
			name, ok := value.(string)
			if !ok || !owners[name] {
				return nil, fmt.Errorf("%s.receiver: %v is no owner of the registry", at, value)
			}
			out[key] = receiverName(plumbline.Owner(name))
		case "routes":
			children, ok := value.([]any)
			if !ok {
				return nil, fmt.Errorf("%s.routes: is no list", at)
			}
			all := make([]any, 0, len(children))
			for i, child := range children {
				node, ok := child.(map[string]any)
				if !ok {
					return nil, fmt.Errorf("%s.routes[%d]: is no route", at, i)
				}
				route, err := renamed(node, fmt.Sprintf("%s.routes[%d]", at, i), owners)
				if err != nil {
					return nil, err
				}
				all = append(all, route)
			}
			out[key] = all
		default:
			out[key] = value
		}
	}
	return out, nil
}

// serviceRoute takes the alerts about the service itself. Without an owner they
// are still incidents of their own, recorded one by one.
func serviceRoute(c Config) routeNode {
	r := routeNode{
		Receiver: undeclared,
		GroupBy:  []string{plumbline.LabelAlert, plumbline.LabelObject},
		Matchers: []string{matcher(plumbline.LabelModel, "")},
	}
	if c.ServiceOwner != "" {
		r.Receiver = receiverName(c.ServiceOwner)
	}
	return r
}

// anyModel matches the alerts that have a model.
const anyModel = plumbline.LabelModel + `!=""`

// matcher quotes the value: models are named by producers.
func matcher(name, value string) string {
	return (&labels.Matcher{Type: labels.MatchEqual, Name: name, Value: value}).String()
}

// routes parses what RoutesYAML writes, with Alertmanager's own checks.
func routes(c Config) (*config.Config, error) {
	file, err := RoutesYAML(c)
	if err != nil {
		return nil, err
	}
	parsed, err := config.Load(string(file))
	if err != nil {
		return nil, c.blame(err)
	}
	for i, o := range c.Owners {
		if o.BusinessHours != "" && intervals(parsed)[o.BusinessHours] == nil {
			return nil, fmt.Errorf("owners[%d].business_hours: %q is none of time_intervals", i, o.BusinessHours)
		}
	}
	parsed.Global.ResolveTimeout = model.Duration(c.ResolveTimeout)
	return parsed, nil
}

// blame names the field that Alertmanager refuses: the route, unless it refuses the rest
// as well.
func (c Config) blame(err error) error {
	field := "time_intervals"
	if len(c.Route) > 0 {
		without := c
		without.Route = nil
		if _, other := routes(without); other == nil {
			field = "route"
		}
	}
	// Its lines are those of the generated file.
	return fmt.Errorf("%s: %s", field, regexp.MustCompile(`line \d+: `).ReplaceAllString(err.Error(), ""))
}

// intervals returns the named time intervals of the routes.
func intervals(parsed *config.Config) map[string][]timeinterval.TimeInterval {
	named := make(map[string][]timeinterval.TimeInterval, len(parsed.TimeIntervals))
	for _, i := range parsed.TimeIntervals {
		named[i.Name] = i.TimeIntervals
	}
	return named
}
