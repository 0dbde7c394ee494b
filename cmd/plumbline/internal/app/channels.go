package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/email"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/alerting/webhook"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// channelFiles are the paths that the channels' sections name.
func (a *Alerting) channelFiles() []*string {
	return []*string{
		&a.Slack.SigningSecretFile, &a.PagerDuty.RoutingKeyFile, &a.Webhook.URLFile, &a.Webhook.SecretFile,
		&a.Email.AuthPasswordFile, &a.Email.CAFile,
	}
}

// validateChannels returns what is wrong with the channels, and with what the
// owners say of them.
func (a Alerting) validateChannels() error {
	errs := []error{prefixed("webhook", a.Webhook.Validate()), prefixed("email", a.Email.Validate())}
	for i, o := range a.Owners {
		at := fmt.Sprintf("owners[%d]", i)
		errs = append(errs, prefixed(at, webhook.ValidateOwner(o)))
		if o.Email == "" {
			continue
		}
		if err := email.ValidateAddresses(o.Email); err != nil {
			errs = append(errs, fmt.Errorf("%s.email: %w", at, err))
		}
		if a.Email.Smarthost == "" {
			errs = append(errs, fmt.Errorf("%s.email: is given, and email.smarthost is not: nobody would be mailed", at))
		}
	}
	return errors.Join(errs...)
}

// startButtons answers the clicks on Slack's buttons, if there are any.
func (a *App) startButtons(parts *stack, alerts *alerting.Service, runner *analyze.Runner) error {
	if a.cfg.Alerting.Slack.SigningSecretFile == "" {
		return nil
	}
	judge := gate{runner: runner, stored: a.stored}
	callbacks, err := slack.NewCallbacks(a.slack, clicks{alerts}, judge, time.Now, a.registry, a.log)
	if err != nil {
		return err
	}
	a.web.mux.Handle(http.MethodPost+" "+slack.Path, callbacks)
	parts.start("slack buttons", callbacks.Run)
	return nil
}

// clicks is what the buttons do.
type clicks struct{ alerts *alerting.Service }

// Acknowledge implements slack.Actions.
func (c clicks) Acknowledge(ctx context.Context, incident, level string, saw time.Time, who string) (bool, error) {
	i, err := c.alerts.AcknowledgeLevel(ctx, incident, level, saw, who)
	_, taken := i.Acknowledged()
	return taken, err
}

// Silence implements slack.Actions.
func (c clicks) Silence(ctx context.Context, incident, level string, d time.Duration, who string) error {
	_, err := c.alerts.Silence(ctx, incident, alerting.SilenceRequest{Level: level, For: d, By: who, Comment: "by the button in Slack"})
	return err
}

// gate judges a deploy by what the analyzers know: is it worse than the one
// before, beyond what chance explains?
type gate struct {
	runner *analyze.Runner
	stored <-chan struct{}
}

// Gate implements slack.Gate.
func (g gate) Gate(ctx context.Context, m plumbline.Model, deploy plumbline.DeployHash) (string, error) {
	select {
	case <-g.stored:
	case <-ctx.Done():
		return "", errors.New("ClickHouse does not answer yet")
	}
	e, err := g.runner.Explain(ctx, m, deploy, "")
	if err != nil {
		return "", err
	}
	verdict := judgeDeploy(e.Before, e.After)
	for i, s := range e.Drifted {
		if i == mostGateFeatures {
			verdict += fmt.Sprintf("\nand %d more features moved", len(e.Drifted)-i)
			break
		}
		verdict += fmt.Sprintf("\n%s moved: PSI %.3g, %s to %s", s.Feature, s.PSI, s.Before, s.After)
	}
	return verdict, nil
}

// mostGateFeatures is how many drifted features a verdict lists.
const mostGateFeatures = 5

// judgeDeploy compares the accuracy of a deploy with that of the one before: it
// fails if their 95 % intervals lie apart and its own is lower, and passes if
// its interval reaches that of the one before. Too few labels are neither.
func judgeDeploy(before, after *quality.Counts) string {
	switch {
	case after == nil || after.Verdict() != plumbline.VerdictOK:
		return "insufficient: the deploy has fewer than " + fmt.Sprint(quality.MinLabelled) + " labelled predictions of the last day"
	case before == nil || before.Verdict() != plumbline.VerdictOK:
		return fmt.Sprintf("insufficient: nothing to compare with; accuracy is %s", withInterval(*after))
	}
	words := fmt.Sprintf("accuracy %s, %s of the deploy before, %.0f %% of its labels are in", withInterval(*after), withInterval(*before), 100*after.Coverage())
	if after.Interval().High < before.Interval().Low {
		return "fail: " + words
	}
	return "pass: " + words
}

func withInterval(c quality.Counts) string {
	i := c.Interval()
	return fmt.Sprintf("%.1f %% (%.1f to %.1f %%)", 100*c.Accuracy(), 100*i.Low, 100*i.High)
}
