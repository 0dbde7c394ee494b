package rules

import (
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline"
)

// policies reads an SLO's alert policies: their conditions are burn rates beside
// the workbook's pairs, their target is the owner of an SLO that names
// none, which named says. Of each condition it returns where it stands, too.
func (c *catalog) policies(o *object, slo *plumbline.SLO, named bool) (owner plumbline.Owner, places []*object) {
	for i, item := range o.list("alertPolicies", "write - alertPolicyRef: name under it") {
		path := fmt.Sprintf("spec.alertPolicies[%d]", i)
		p := o.object(item, path, "alertPolicyRef", "kind", "metadata", "spec")
		if p == nil {
			continue
		}
		r, spec := p.fileReader, p.fields["spec"]
		at := path + ".spec"
		if p.has("alertPolicyRef") {
			d, ok := c.find(p, "alertPolicyRef", kindPolicy)
			if !ok {
				continue
			}
			r, spec, at = d.fileReader, d.spec, "spec"
		}
		if spec == nil {
			p.fail("alertPolicyRef", "is missing", "write the metadata.name of an AlertPolicy")
			continue
		}
		conditions, target := c.policy(r, spec, at)
		for _, b := range conditions {
			if wrong := twins(slo.Conditions, b.BurnCondition); wrong != "" {
				p.fileReader.fail(p.node, p.path, wrong, fixTwins)
			}
			slo.Conditions, places = append(slo.Conditions, b.BurnCondition), append(places, b.at)
		}
		switch {
		case owner == "":
			owner = target
		case target != "" && target != owner && !named:
			p.fileReader.fail(p.node, p.path, fmt.Sprintf("its target is %s, that of another policy %s: an SLO has one owner", target, owner),
				"keep one of them, or write the owner as "+annotationOwner)
		}
	}
	return owner, places
}

// placed is a condition and where its burn rate stands.
type placed struct {
	plumbline.BurnCondition
	at *object
}

// policy reads the spec of an AlertPolicy.
func (c *catalog) policy(r *fileReader, n *yaml.Node, path string) ([]placed, plumbline.Owner) {
	o := r.object(n, path, "description", "alertWhenNoData", "alertWhenResolved", "alertWhenBreaching", "conditions", "notificationTargets")
	if o == nil {
		return nil, ""
	}
	o.description()
	if noData, given := o.flag("alertWhenNoData"); given && !noData {
		o.fail("alertWhenNoData", "is false: an objective of which nothing is known is never healthy", "remove it; a ticket says so")
	}
	if resolved, given := o.flag("alertWhenResolved"); given && !resolved {
		o.fail("alertWhenResolved", "is false: who was told of an incident is told of its end", "remove it")
	}
	if breaching, given := o.flag("alertWhenBreaching"); given && !breaching {
		o.fail("alertWhenBreaching", "is false", "remove the policy, or make the SLO a shadow by "+annotationShadow)
	}
	var conditions []placed
	if item := o.only("conditions", "write one condition; several are several policies"); item != nil {
		if b, ok := c.policyCondition(o, item); ok {
			conditions = append(conditions, b)
		}
	}
	return conditions, c.targets(o)
}

func (c *catalog) policyCondition(o *object, item *yaml.Node) (placed, bool) {
	p := o.object(item, o.path+".conditions[0]", "conditionRef", "kind", "metadata", "spec")
	if p == nil {
		return placed{}, false
	}
	if p.has("conditionRef") {
		d, ok := c.find(p, "conditionRef", kindCondition)
		if !ok {
			return placed{}, false
		}
		return c.condition(d.fileReader, d.name, d.spec, "spec")
	}
	name := "condition"
	if meta := p.fields["metadata"]; meta != nil {
		if m := p.object(meta, p.path+".metadata", "name", "displayName", "labels", "annotations"); m != nil {
			name = m.required("name", "write a name")
		}
	}
	if !p.has("spec") {
		p.fail("spec", "is missing", "write spec: with severity and condition, or conditionRef")
		return placed{}, false
	}
	return c.condition(p.fileReader, name, p.fields["spec"], p.path+".spec")
}

// condition reads the spec of an AlertCondition.
func (c *catalog) condition(r *fileReader, name string, n *yaml.Node, path string) (placed, bool) {
	before := len(r.errs)
	o := r.object(n, path, "description", "severity", "condition")
	if o == nil {
		return placed{}, false
	}
	o.description()
	b := placed{BurnCondition: plumbline.BurnCondition{Name: name}}
	const severities = "write severity: page or severity: ticket"
	if b.Severity = o.required("severity", severities); b.Severity != "" && b.Severity != plumbline.SeverityPage && b.Severity != plumbline.SeverityTicket {
		o.fail("severity", fmt.Sprintf("%q is not routed", b.Severity), severities)
	}
	if !o.has("condition") {
		o.fail("condition", "is missing", "write condition: with kind: burnrate under it")
		return b, false
	}
	if b.at = o.object(o.fields["condition"], path+".condition", "kind", "op", "threshold", "lookbackWindow", "alertAfter"); b.at != nil {
		b.at.burnRate(&b.BurnCondition)
	}
	return b, len(r.errs) == before
}

func (o *object) burnRate(b *plumbline.BurnCondition) {
	if k := o.text("kind"); k != "" && k != "burnrate" {
		o.fail("kind", fmt.Sprintf("%q is no condition of OpenSLO v1", k), "write kind: burnrate")
	}
	if op := o.text("op"); op != "" && op != "gt" && op != "gte" {
		o.fail("op", "a burn rate is compared with gt", "write op: gt")
	}
	const fix = "write the burn rate, such as threshold: 14.4"
	if v, ok := o.number("threshold", fix); ok {
		if b.Factor = v; v < 1 {
			o.fail("threshold", fmt.Sprintf("%g is no burn beyond what the target allows", v), fix)
		}
	}
	var err error
	if text := o.required("lookbackWindow", "write lookbackWindow: 1h"); text != "" {
		if b.Lookback, err = ParseDuration(text); err != nil {
			o.fail("lookbackWindow", err.Error(), "write lookbackWindow: 1h")
		}
	}
	if text := o.text("alertAfter"); text != "" && text != "0m" {
		if b.After, err = ParseDuration(text); err != nil {
			o.fail("alertAfter", err.Error(), "write alertAfter: 5m")
		}
	}
}

// targets checks the notification targets and returns the name of the one there may be.
func (c *catalog) targets(o *object) plumbline.Owner {
	var first plumbline.Owner
	items := o.list("notificationTargets", "write - targetRef: name under it")
	if len(items) > 1 {
		o.fail("notificationTargets", fmt.Sprintf("has %d items: an SLO has one owner", len(items)),
			"keep one, and write all of its channels into its entry of alerting.owners")
	}
	for i, item := range items {
		t := o.object(item, fmt.Sprintf("%s.notificationTargets[%d]", o.path, i), "targetRef", "kind", "metadata", "spec")
		if t == nil {
			continue
		}
		if !t.has("targetRef") {
			t.fail("targetRef", "is missing: a target in place is told nothing", "write targetRef: with the metadata.name of an AlertNotificationTarget, an entry of alerting.owners")
			continue
		}
		if d, ok := c.find(t, "targetRef", kindTarget); ok && first == "" {
			first = plumbline.Owner(d.name)
		}
	}
	return first
}
