package incidents

import (
	"context"
	"fmt"
	"maps"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// models share the incidents, so that duties are many.
const models = 10

func modelNames() []plumbline.Model {
	names := make([]plumbline.Model, models)
	for i := range names {
		names[i] = plumbline.Model(fmt.Sprintf("model-%d", i))
	}
	return names
}

// incident is one scripted incident: one page to be told once.
type incident struct {
	number int
	model  plumbline.Model
	deploy plumbline.DeployHash
	slo    plumbline.SLOName
	steps  []step
}

func (i incident) key() string { return alerting.IncidentKey(i.model, i.deploy, i.slo) }

// step changes what burns, after a while.
type step struct {
	after time.Duration
	do    func(*truth)
}

// Kinds of scripted incidents.
const (
	plainPage     = iota
	escalates     // a ticket becomes a page
	explainsDrift // a drift ticket of the same deploy, inhibited
	lateLabels    // suspected, confirmed by labels, retracted in part
	deployEndsIt  // two window pairs; another deploy takes over
	kinds
)

// scripted makes the incident of a number. Time is stretched by the length.
func scripted(number int, length time.Duration) incident {
	i := incident{
		number: number, model: plumbline.Model(fmt.Sprintf("model-%d", number%models)),
		deploy: plumbline.DeployHash(fmt.Sprintf("d%07x", number)), slo: "accuracy",
	}
	at := func(share float64) time.Duration { return time.Duration(share * float64(length)) }
	page, ticket := i.burning(plumbline.SeverityPage, "1h", nil), i.burning(plumbline.SeverityTicket, "1d", nil)
	on := func(after time.Duration, b burning) {
		i.steps = append(i.steps, step{after, func(t *truth) { t.set(b) }})
	}
	off := func(after time.Duration, b burning) {
		i.steps = append(i.steps, step{after, func(t *truth) { t.end(b) }})
	}
	switch number % kinds {
	case plainPage:
		on(0, page)
		off(at(1), page)
	case escalates:
		on(0, ticket)
		on(at(0.3), page)
		off(at(0.9), page)
		off(at(1), ticket)
	case explainsDrift:
		drift := page
		drift.Labels = maps.Clone(page.Labels)
		drift.Labels[plumbline.LabelAlert], drift.Labels[plumbline.LabelSLO], drift.Labels[plumbline.LabelSeverity] = "Drift", "drift", plumbline.SeverityTicket
		on(0, page)
		on(at(0.4), drift)
		off(at(0.7), drift)
		off(at(1), page)
	case lateLabels:
		on(0, ticket)
		for n := 1; n <= 5; n++ { // labels come in
			share := fmt.Sprintf("%d %%", 30+10*n)
			known := i.burning(plumbline.SeverityTicket, "1d", map[string]string{plumbline.AnnotationCoverage: share})
			on(at(float64(n)*0.05), known)
		}
		on(at(0.3), page)
		off(at(0.9), page)
		off(at(1), ticket)
	case deployEndsIt:
		slow := i.burning(plumbline.SeverityPage, "6h", nil)
		on(0, page)
		on(at(0.3), slow)
		off(at(0.8), page)
		off(at(1), slow)
	}
	return i
}

func (i incident) burning(severity, window string, more map[string]string) burning {
	b := burning{
		Group: string(i.model),
		Labels: map[string]string{
			plumbline.LabelAlert: plumbline.AlertSLOBurn, plumbline.LabelModel: string(i.model), plumbline.LabelDeploy: string(i.deploy),
			plumbline.LabelSLO: string(i.slo), plumbline.LabelSeverity: severity, plumbline.LabelWindow: window, plumbline.LabelOwner: "oncall",
		},
		Annotations: map[string]string{plumbline.AnnotationBurnRate: "15", plumbline.AnnotationWindows: window, plumbline.AnnotationPeriod: "30d"},
	}
	maps.Copy(b.Annotations, more)
	return b
}

// play runs the steps of the incident at their times.
func (i incident) play(ctx context.Context, t *truth) {
	began := time.Now()
	for _, s := range i.steps {
		timer := time.NewTimer(time.Until(began.Add(s.after)))
		select {
		case <-timer.C:
			s.do(t)
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
