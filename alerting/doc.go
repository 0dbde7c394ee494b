// Package alerting turns firing rules into one page for one incident: it
// groups alerts by model, deploy and SLO, deduplicates, silences, inhibits and
// routes them to the owner of the model, with Alertmanager's own packages, and
// writes the text a person reads at night.
//
// What it promises: an alert, a silence, an acknowledgement and a notification
// that was taken as done is on disk. A process killed after that neither forgets
// nor repeats it. Replicas gossip with Alertmanager's cluster package and page
// once; parted from each other they page twice rather than not at all.
//
// An incident (Incident) is one model, deploy and SLO from its first notice to
// its last; it is what people acknowledge and silence, and becomes a row.
//
// It declares what it needs of others as small interfaces (Channel, Explainer,
// Recorder, Journal, ActiveAlerts, Windows, Correlator) and imports no package of
// the module but the root; cmd/plumbline wires. The channels import this package; alerting/slack and
// alerting/pagerduty know nothing of Alertmanager, alerting/webhook its format
// and alerting/email its notifier.
package alerting
