package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/storage"
)

// incidentRows keeps incidents in the table incidents.
type incidentRows struct{ db *storage.DB }

const incidentColumns = "(incident, key, model, deploy_hash, slo, name, object, owner, severity, dataset_hash, feature_job, " +
	"opened, escalated, acknowledged, acknowledged_by, resolved, history, version)"

// RecordIncidents implements alerting.Recorder.
func (r incidentRows) RecordIncidents(ctx context.Context, incidents []alerting.Incident) error {
	token := "incidents/" + rand.Text() // the same for every attempt
	return r.insert(ctx, token, incidents)
}

func (r incidentRows) insert(ctx context.Context, token string, incidents []alerting.Incident) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(r.db.Durably(clickhouse.Settings{
		"async_insert": 0, "insert_deduplication_token": token, "max_partitions_per_insert_block": 0,
	})))
	version := uint64(time.Now().UnixMilli())
	err := storage.Again(ctx, func(ctx context.Context) error {
		batch, err := r.db.Conn().PrepareBatch(ctx, "INSERT INTO "+r.db.Local(plumbline.TableIncidents)+" "+incidentColumns)
		if err != nil {
			return err
		}
		for _, i := range incidents {
			if err := appendIncident(batch, i, version); err != nil {
				return errors.Join(err, batch.Abort())
			}
		}
		return batch.Send()
	})
	if err != nil {
		return fmt.Errorf("write %d incidents: %w", len(incidents), err)
	}
	return nil
}

func appendIncident(batch driver.Batch, i alerting.Incident, version uint64) error {
	history, err := json.Marshal(i.Events)
	if err != nil {
		return err
	}
	ack, _ := i.FirstAcknowledged()
	return batch.Append(i.ID, i.Key, string(i.Model), string(i.Deploy), string(i.SLO), i.Name, i.Object, string(i.Owner), i.Severity,
		i.DatasetHash, i.FeatureJob, orEpoch(i.OpenedAt), orEpoch(i.EscalatedAt), orEpoch(ack.At), ack.By, orEpoch(i.ResolvedAt), string(history), version)
}

// orEpoch is 1970 for no time: ClickHouse's DateTime64 does not reach the year 1.
func orEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.UnixMilli(0).UTC()
	}
	return t
}

// storedIncidents waits for the tables.
type storedIncidents struct {
	incidentRows
	stored <-chan struct{}
}

// RecordIncidents implements alerting.Recorder.
func (s storedIncidents) RecordIncidents(ctx context.Context, incidents []alerting.Incident) error {
	select {
	case <-s.stored:
		return s.incidentRows.RecordIncidents(ctx, incidents)
	case <-ctx.Done():
		return errors.New("write incidents: ClickHouse does not answer yet")
	}
}
