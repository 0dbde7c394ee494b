package app

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/email"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/alerting/webhook"
	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Warning is what serve accepts and is hardly meant.
type Warning struct{ At, Field, Text string }

// String is the warning on a line.
func (w Warning) String() string {
	return fmt.Sprintf("%s: warning: %s: %s", w.At, w.Field, w.Text)
}

// warnings are what is hardly meant and yet may be right: a model that nobody
// declared is stored, so a policy may be for one; and whoever only looks at
// dashboards needs no owner.
func (c Config) warnings(slos []plumbline.SLO) []Warning {
	found := c.undeclaredNames()
	if len(slos) > 0 && len(c.Alerting.Owners) == 0 {
		found = append(found, Warning{Field: "alerting.owners", Text: "none, and no service_owner: alerts are recorded, and nobody is ever told of one; declare who answers for the models (docs/alerting.md)"})
	}
	if c.Web.ExternalURL == "" && c.Web.encrypts() {
		found = append(found, Warning{Field: "web.external_url", Text: "empty, and web.config_file asks for TLS: links in alerts would begin with http://; write the address by which people reach the service"})
	}
	if c.file != nil {
		for i := range found {
			found[i].At = c.file.where(found[i].Field)
		}
	}
	return found
}

// unreached are the owners whom no channel reaches, as serve would find them: most often
// a Slack channel is named, and the token is not.
func (c Config) unreached() (found []Warning) {
	a, silent := c.Alerting, slog.New(slog.DiscardHandler)
	toSlack, err := slack.New(a.Slack, prometheus.NewRegistry())
	toPagerDuty, errPagerDuty := pagerduty.New(a.PagerDuty)
	toWebhook, errWebhook := webhook.New(a.Webhook, time.Now)
	toMail, errMail := email.New(a.Email, silent)
	if errors.Join(err, errPagerDuty, errWebhook, errMail) != nil {
		return nil // which is told as a mistake
	}
	for i, owner := range a.Owners {
		reaches := func(channel alerting.Channel) bool { return channel.Notifier(owner) != nil }
		if slices.ContainsFunc([]alerting.Channel{toSlack, toPagerDuty, toWebhook, toMail}, reaches) {
			continue
		}
		field := fmt.Sprintf("alerting.owners[%d]", i)
		found = append(found, Warning{At: c.file.where(field), Field: field, Text: fmt.Sprintf("no channel reaches %s: nobody is told of its alerts; give it a channel and the channel its secret, such as slack.token_file (docs/alerting.md)", owner.Name)})
	}
	return found
}

// undeclaredNames are the places where a model is named that is none of the declared
// ones. Where none are declared that says nothing.
func (c Config) undeclaredNames() (found []Warning) {
	if len(c.Models) == 0 {
		return nil
	}
	var declared []string
	for _, name := range c.declaredModels() {
		declared = append(declared, string(name))
	}
	add := func(field string, model plumbline.Model, follows string) {
		if slices.Contains(declared, string(model)) || model == "" {
			return
		}
		meant := "if it is right, declare it there"
		if near := serve.Nearest(string(model), declared); near != "" {
			meant = fmt.Sprintf("did you mean %s?", near)
		}
		found = append(found, Warning{Field: field, Text: fmt.Sprintf("model %q is not declared under models, so that %s; %s", model, follows, meant)})
	}
	for i, p := range c.Ingest.Privacy.Models {
		add(fmt.Sprintf("ingest.privacy.models[%d].model", i), p.Model, "this policy hides nothing of those that are")
	}
	for _, model := range slices.SortedFunc(maps.Keys(c.Ingest.ScoreKinds), cmp.Compare) {
		add("ingest.score_kinds."+string(model), model, "this is of the scores of none that is")
	}
	for i, owner := range c.Alerting.Owners {
		for j, model := range owner.Models {
			add(fmt.Sprintf("alerting.owners[%d].models[%d]", i, j), model, "it has no SLO to tell "+string(owner.Name)+" of")
		}
	}
	for i, mute := range c.Alerting.MuteWindows {
		add(fmt.Sprintf("alerting.mute_windows[%d].model", i), mute.Model, "this mutes nothing of those that are")
	}
	return found
}

// instead is what to use for a key that somebody may take for one: the service fills
// the field in.
func instead(field string) string {
	switch field {
	case "ingest.brokers":
		return "use kafka.brokers: events are read from the one Kafka that the service uses"
	case "rules.external_url", "alerting.external_url":
		return "use web.external_url: links in alerts begin with it"
	case "alerting.route_prefix":
		return "remove it: the API of the alerts is always below " + alertsPrefix + " of web.external_url"
	}
	return ""
}
