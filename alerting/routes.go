package alerting

import (
	"fmt"
	"net/url"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/pkg/labels"
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
	}
	routeNode struct {
		Receiver       string         `yaml:"receiver"`
		GroupBy        []string       `yaml:"group_by,omitempty"`
		Matchers       []string       `yaml:"matchers,omitempty"`
		GroupWait      model.Duration `yaml:"group_wait,omitempty"`
		GroupInterval  model.Duration `yaml:"group_interval,omitempty"`
		RepeatInterval model.Duration `yaml:"repeat_interval,omitempty"`
		Routes         []routeNode    `yaml:"routes,omitempty"`
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
// route for each model, grouped by the identity of an incident, one for the
// alerts without a model, which are about the service itself, and one rule by
// which a page inhibits the tickets of the same model and deploy.
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
	}
	file.Route.Routes = append(file.Route.Routes, heartbeatRoute())
	for _, o := range c.Owners {
		file.Receivers = append(file.Receivers, receiverRef{Name: receiverName(o.Name)})
		for _, m := range o.Models {
			file.Route.Routes = append(file.Route.Routes, routeNode{
				Receiver: receiverName(o.Name),
				Matchers: []string{matcher(plumbline.LabelModel, string(m))},
			})
		}
	}
	file.Route.Routes = append(file.Route.Routes, serviceRoute(c))
	out, err := yaml.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("write routes: %w", err)
	}
	return out, nil
}

// serviceRoute takes the alerts about the service itself. Without an owner they
// are still incidents of their own, recorded one by one.
func serviceRoute(c Config) routeNode {
	r := routeNode{
		Receiver: undeclared,
		GroupBy:  []string{model.AlertNameLabel, plumbline.LabelObject},
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
		return nil, fmt.Errorf("routes of the owner registry: %w", err)
	}
	parsed.Global.ResolveTimeout = model.Duration(c.ResolveTimeout)
	return parsed, nil
}
