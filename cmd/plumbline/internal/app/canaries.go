package app

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

//go:embed canaries.sql
var canariesSQL string

//go:embed correlation.sql
var correlationSQL string

// canaryLook is how often deployments are read.
const canaryLook = 15 * time.Second

// canaryPatience is how long tickets wait after a start for deployments to be read: a
// ClickHouse that does not answer for longer keeps no ticket from being told.
const canaryPatience = 2 * time.Minute

// canaries remembers what deployment events say: which deploys are being tried
// out, whose tickets are no news for a while after an event of stage canary or
// shadow, and what each was trained on and is fed by.
type canaries struct {
	conn  driver.Conn
	lasts time.Duration
	every time.Duration
	log   *slog.Logger

	mu      sync.Mutex
	asked   time.Time // for the first time
	read    bool
	windows []alerting.MuteWindow
	keys    map[deployKey][2]string
}

type deployKey struct {
	model  plumbline.Model
	deploy plumbline.DeployHash
}

// Correlation implements alerting.Correlator.
func (c *canaries) Correlation(m plumbline.Model, deploy plumbline.DeployHash) (datasetHash, featureJob string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := c.keys[deployKey{m, deploy}]
	return keys[0], keys[1]
}

// MuteWindows implements alerting.Windows.
func (c *canaries) MuteWindows(now time.Time) (windows []alerting.MuteWindow, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked.IsZero() {
		c.asked = now
	}
	return slices.Clone(c.windows), c.read || now.Sub(c.asked) > canaryPatience
}

// run reads the deployments again and again until ctx is done. While ClickHouse
// does not answer, what is known holds.
func (c *canaries) run(ctx context.Context) error {
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	for {
		if err := errors.Join(c.readWindows(ctx), c.readKeys(ctx)); err != nil && ctx.Err() == nil {
			c.log.Warn("canaries and shadows are as they were", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *canaries) readWindows(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.every)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"seconds": fmt.Sprint(int64(c.lasts / time.Second))}))
	rows, err := c.conn.Query(ctx, canariesSQL)
	if err != nil {
		return fmt.Errorf("read canaries: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	var windows []alerting.MuteWindow
	for rows.Next() {
		var model, deploy, stage, note string
		var began time.Time
		if err := rows.Scan(&model, &deploy, &stage, &began, &note); err != nil {
			return fmt.Errorf("read canaries: %w", err)
		}
		windows = append(windows, alerting.MuteWindow{
			Model: plumbline.Model(model), Deploy: plumbline.DeployHash(deploy), From: began, To: began.Add(c.lasts), Reason: stage + " " + note,
		})
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read canaries: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.windows, c.read = windows, true
	return nil
}

func (c *canaries) readKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.every)
	defer cancel()
	rows, err := c.conn.Query(ctx, correlationSQL)
	if err != nil {
		return fmt.Errorf("read what deploys share: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	keys := make(map[deployKey][2]string)
	for rows.Next() {
		var model, deploy, dataset, job string
		if err := rows.Scan(&model, &deploy, &dataset, &job); err != nil {
			return fmt.Errorf("read what deploys share: %w", err)
		}
		keys[deployKey{plumbline.Model(model), plumbline.DeployHash(deploy)}] = [2]string{dataset, job}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read what deploys share: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = keys
	return nil
}
