package app

import (
	"context"
	_ "embed"
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

// canaryLook is how often deployments are read.
const canaryLook = 15 * time.Second

// canaries remembers which deploys are being tried out: for a while after a
// deployment event of stage canary or shadow their tickets are no news.
type canaries struct {
	conn  driver.Conn
	lasts time.Duration
	every time.Duration
	log   *slog.Logger

	mu      sync.Mutex
	windows []alerting.MuteWindow
}

// MuteWindows implements alerting.Windows.
func (c *canaries) MuteWindows(time.Time) []alerting.MuteWindow {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.windows)
}

// run reads the deployments again and again until ctx is done. While ClickHouse
// does not answer, what is known holds.
func (c *canaries) run(ctx context.Context) error {
	ticker := time.NewTicker(c.every)
	defer ticker.Stop()
	for {
		if err := c.read(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("canaries and shadows are as they were", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *canaries) read(ctx context.Context) error {
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
	c.windows = windows
	return nil
}
