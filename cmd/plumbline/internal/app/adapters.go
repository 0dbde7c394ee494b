package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/storage"
)

// This file is where one part's words become another's, so that neither has to
// know the other.

// activeAlerts seeds alerting with what the rules know to be firing.
type activeAlerts struct{ evaluator *rules.Evaluator }

// ActiveAlerts implements alerting.ActiveAlerts.
func (a activeAlerts) ActiveAlerts(context.Context) ([]alerting.Alert, error) {
	active, err := a.evaluator.ActiveAlerts()
	if err != nil {
		return nil, err
	}
	return fromRules(active), nil
}

func fromRules(alerts []*rules.Alert) []alerting.Alert {
	out := make([]alerting.Alert, 0, len(alerts))
	for _, a := range alerts {
		ends := a.ValidUntil
		if !a.ResolvedAt.IsZero() {
			ends = a.ResolvedAt
		}
		out = append(out, alerting.Alert{
			Labels: a.Labels.Map(), Annotations: a.Annotations.Map(),
			StartsAt: a.FiredAt, EndsAt: ends,
		})
	}
	return out
}

// notices keeps what the service noticed and did where people can query it: the
// table notices. Losing one loses a line of history, never an alert, so a failed
// insert is logged and counted by the caller's part.
type notices struct{ db *storage.DB }

// notice is a row of the table. What is about the service itself has no model,
// deploy or SLO.
type notice struct {
	at           time.Time
	kind         string
	model        plumbline.Model
	deploy       plumbline.DeployHash
	slo          plumbline.SLOName
	object, text string
}

// RecordNotice implements noticeRecorder.
func (n notices) RecordNotice(ctx context.Context, row notice) error {
	// Two notices may be alike, so the token is not made of them; every attempt
	// to store this one has the same.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(n.db.Durably(clickhouse.Settings{
		"async_insert": 0, "insert_deduplication_token": "notices/" + rand.Text(),
	})))
	query := "INSERT INTO " + n.db.Local(plumbline.TableNotices) + " (at, kind, model, deploy_hash, slo, object, text)"
	err := storage.Again(ctx, func(ctx context.Context) error {
		batch, err := n.db.Conn().PrepareBatch(ctx, query)
		if err != nil {
			return err
		}
		if err := batch.Append(row.at, row.kind, string(row.model), string(row.deploy), string(row.slo), row.object, row.text); err != nil {
			return errors.Join(err, batch.Abort())
		}
		return batch.Send()
	})
	if err != nil {
		return fmt.Errorf("record notice %s: %w", row.kind, err)
	}
	return nil
}

// Record implements alerting.Journal.
func (n notices) Record(ctx context.Context, e alerting.Event) error {
	object := e.Channel
	if e.Owner != "" {
		object += " " + string(e.Owner)
	}
	text := e.Severity + ": " + e.Reason
	if e.Text.Service() {
		// No model, deploy or SLO says what it is about.
		text += ": " + e.Text.Headline(alerting.PlainQuoter{})
	}
	return n.RecordNotice(ctx, notice{at: e.At, kind: "alert_" + string(e.Kind), model: e.Model, deploy: e.Deploy, slo: e.SLO, object: object, text: text})
}
