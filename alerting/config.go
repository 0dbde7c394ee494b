package alerting

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Config says where alerts are kept and when they are sent. The channels
// (slack.Config, pagerduty.Config) are configured beside their code.
type Config struct {
	// DataDir keeps the alerts, the silences and the notification log. One
	// process owns it.
	DataDir string `yaml:"data_dir"`
	// Owners is the owner registry the routes are made from. A model that no
	// owner names is recorded and never sent.
	Owners []plumbline.OwnerEntry `yaml:"owners"`
	// ServiceOwner names the owner of the registry who is told about the
	// service's own trouble: alerts without a model. Empty records them and
	// tells nobody.
	ServiceOwner plumbline.Owner `yaml:"service_owner"`
	// ExternalURL is where people reach this service; the alert that gossip grows too
	// large links its runbook there.
	ExternalURL string `yaml:"-"`
	// RoutePrefix is the path under which Handler serves /api/v2, "/" by default.
	RoutePrefix string `yaml:"-"`

	// Route is a standard Alertmanager route that comes before the generated
	// ones: its children are tried first, and with continue the generated ones
	// too. Receivers are names of owners. It may not group: an incident is one
	// model, deploy and SLO.
	Route map[string]any `yaml:"route"`
	// TimeIntervals are Alertmanager's time_intervals, for Route and for the
	// owners' business_hours.
	TimeIntervals []any `yaml:"time_intervals"`
	// MuteWindows are experiments whose tickets are no news.
	MuteWindows []MuteWindow `yaml:"mute_windows"`

	// Cluster makes replicas page once; without it each pages for itself.
	Cluster ClusterConfig `yaml:"cluster"`

	// GroupWait is how long the first alert of an incident waits for others.
	// Short, because an incident is one model, deploy and SLO.
	GroupWait time.Duration `yaml:"group_wait"`
	// GroupInterval is how often an incident is looked at again: changes and
	// the resolution are sent at most this late, and a failed send is tried
	// again for as long (at least 10 s) before it waits for the next turn.
	GroupInterval time.Duration `yaml:"group_interval"`
	// RepeatInterval is when an incident that goes on unchanged is sent again.
	RepeatInterval time.Duration `yaml:"repeat_interval"`

	// ResolveTimeout is how long an alert without an end is taken as firing
	// without being sent again.
	ResolveTimeout time.Duration `yaml:"resolve_timeout"`
	// RestartGrace is how long an alert that fired when the process ended is
	// taken as firing after the start: the rules must speak again within it.
	RestartGrace time.Duration `yaml:"restart_grace"`
	// ExplainTimeout bounds the search for the cause; the page goes without it.
	ExplainTimeout time.Duration `yaml:"explain_timeout"`
	// Retention is how long resolved alerts and expired silences are kept. Entries
	// of the notification log are kept for 31 days where that is longer.
	Retention time.Duration `yaml:"retention"`
	// IncidentRetention is how long resolved incidents are kept here; as rows in
	// ClickHouse they stay.
	IncidentRetention time.Duration `yaml:"incident_retention"`
}

// DefaultConfig returns the defaults; DataDir and Owners have none.
func DefaultConfig() Config {
	return Config{
		RoutePrefix:    "/",
		GroupWait:      time.Second,
		GroupInterval:  30 * time.Second,
		RepeatInterval: 4 * time.Hour,
		ResolveTimeout: 5 * time.Minute,
		RestartGrace:   5 * time.Minute,
		ExplainTimeout: 5 * time.Second,
		Retention:      120 * time.Hour,

		IncidentRetention: 90 * 24 * time.Hour,
		Cluster:           defaultClusterConfig(),
	}
}

// Validate returns every problem of the configuration, each naming its key.
func (c Config) Validate() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.DataDir == "" {
		refuse("data_dir: is missing")
	}
	if !strings.HasPrefix(c.RoutePrefix, "/") {
		refuse("route_prefix: %q does not begin with /", c.RoutePrefix)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"group_wait", c.GroupWait}, {"group_interval", c.GroupInterval}, {"repeat_interval", c.RepeatInterval},
		{"resolve_timeout", c.ResolveTimeout}, {"restart_grace", c.RestartGrace},
		{"explain_timeout", c.ExplainTimeout}, {"retention", c.Retention}, {"incident_retention", c.IncidentRetention},
	} {
		if d.value <= 0 {
			refuse("%s: %s is not above zero", d.key, d.value)
		}
	}
	if c.RepeatInterval < c.GroupInterval {
		refuse("repeat_interval: %s is shorter than group_interval (%s)", c.RepeatInterval, c.GroupInterval)
	}
	// What is forgotten before it is due to be repeated would be told as new.
	if kept := c.nflogRetention(); c.RepeatInterval >= kept {
		refuse("repeat_interval: %s is not below the time that notifications are remembered (%s: retention, at least %s)", c.RepeatInterval, kept, nflogRetention)
	}
	errs = append(errs, c.Cluster.validate()...)
	for i, w := range c.MuteWindows {
		errs = append(errs, w.validate(i)...)
	}
	errs = append(errs, c.validateOwners()...)
	if len(errs) == 0 { // or the routes would repeat them
		_, err := routes(c)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// nflogRetention is how long the notification log keeps an entry.
func (c Config) nflogRetention() time.Duration { return max(c.Retention, nflogRetention) }

func (c Config) validateOwners() []error {
	var (
		errs   []error
		names  = make(map[plumbline.Owner]bool, len(c.Owners))
		models = make(map[plumbline.Model]plumbline.Owner)
	)
	for i, o := range c.Owners {
		switch {
		case o.Name == "":
			errs = append(errs, fmt.Errorf("owners[%d].name: is missing", i))
		case names[o.Name]:
			errs = append(errs, fmt.Errorf("owners[%d].name: %q is declared twice", i, o.Name))
		}
		names[o.Name] = true
		for _, m := range o.Models {
			if m == "" {
				errs = append(errs, fmt.Errorf("owners[%d].models: a name is empty", i))
				continue
			}
			if other, taken := models[m]; taken {
				errs = append(errs, fmt.Errorf("owners[%d].models: %q already belongs to %q; a model has one owner", i, m, other))
			}
			models[m] = o.Name
		}
	}
	for i, o := range c.Owners {
		if e := o.Escalation; e != nil && (!names[e.To] || e.To == o.Name || e.After <= 0) {
			errs = append(errs, fmt.Errorf("owners[%d].escalation: give another owner of the registry as to (it is %q), and a time above zero as after (it is %s)", i, e.To, e.After))
		}
	}
	if c.ServiceOwner != "" && !names[c.ServiceOwner] {
		errs = append(errs, fmt.Errorf("service_owner: %q is no owner of the registry; declare it under owners, with a Slack channel or a PagerDuty key", c.ServiceOwner))
	}
	return errs
}

// maxURL is what browsers, PagerDuty and a Slack section surely take.
const maxURL = 900

// safeURL returns the URL if it is absolute, http or https, not over 900 bytes
// and harmless inside Slack's <url|text>; otherwise the empty string.
func safeURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURL || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.ContainsAny(raw, "<>|\"\\ \t\r\n") {
		return ""
	}
	return raw
}
