package app

import (
	"context"
	_ "embed" // the statement
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/storage"
)

//go:embed deploynews.sql
var deployNewsSQL string

const (
	// newsLate is how much later than others a row may appear and still be seen.
	newsLate = 10 * time.Minute
	// newsPage is the LIMIT of the statement.
	newsPage = 1000
	// newsOwed is how many deploys wait for an owner who cannot be told.
	newsOwed = 1000
)

// knownDeploy is a deployment event and when it became known.
type knownDeploy struct {
	plumbline.Deployment
	known time.Time
}

// newsKey is the same for an event that was sent twice.
func newsKey(d plumbline.Deployment) string {
	return strconv.Quote(string(d.Model)) + strconv.Quote(string(d.Deploy)) + strconv.Quote(string(d.Stage)) + strconv.FormatInt(d.Time.UnixMilli(), 10)
}

// deployNews tells PagerDuty of every deploy once, as a change event beside the
// incidents it may have caused. What was told is on disk; a process killed
// between the telling and the writing tells it twice, and nobody is notified.
type deployNews struct {
	file   string
	owners map[plumbline.Model]plumbline.OwnerEntry
	base   string
	rows   func(ctx context.Context, since time.Time) ([]knownDeploy, error)
	tell   func(ctx context.Context, owner plumbline.OwnerEntry, d plumbline.Deployment, pageURL string) error
	// began is when the service was started: what is known from then on is news.
	began time.Time
	every time.Duration
	log   *slog.Logger
	// failures counts the looks that something stopped.
	failures prometheus.Counter
}

// toldDeploys is what the file holds: deploys known before Since are told, and
// those in Told, by when they became known. Owed are those among them that could not
// be told yet, oldest first.
type toldDeploys struct {
	Since time.Time              `json:"since"`
	Told  map[string]time.Time   `json:"told"`
	Owed  []plumbline.Deployment `json:"owed,omitempty"`
}

func (a *App) startDeployNews(parts *stack) error {
	n := &deployNews{
		file: filepath.Join(a.cfg.Alerting.DataDir, "deploys-told.json"), owners: map[plumbline.Model]plumbline.OwnerEntry{},
		base: a.web.externalURL(), rows: newsReader{a.db}.read, tell: a.pagerduty.Change, began: time.Now(), every: a.cfg.Alerting.GroupInterval, log: a.log,
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plumbline_deploy_news_failures_total",
			Help: "Looks for new deploys that ended in an error, or that an owner could not be told of; they are repeated.",
		}),
	}
	for _, o := range a.cfg.Alerting.Owners {
		for _, m := range o.Models {
			n.owners[m] = o
		}
	}
	if err := a.registry.Register(n.failures); err != nil {
		return fmt.Errorf("register deploy news metrics: %w", err)
	}
	parts.start("deploy news", n.run)
	return nil
}

// run looks for news until ctx is done. Whatever fails is counted and tried
// again: a deploy that is told late costs less than a service that is gone.
func (n *deployNews) run(ctx context.Context) error {
	ticker := time.NewTicker(n.every)
	defer ticker.Stop()
	var told *toldDeploys
	for {
		if err := n.turn(ctx, &told); err != nil && ctx.Err() == nil {
			n.failures.Inc()
			n.log.Warn("deploy news: will look again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// turn reads what was told, once, and tells what is new.
func (n *deployNews) turn(ctx context.Context, told **toldDeploys) error {
	if *told == nil {
		read, err := n.load()
		if err != nil {
			return err
		}
		*told = &read
	}
	return n.look(ctx, *told)
}

// load reads what was told. The first start tells no history.
func (n *deployNews) load() (toldDeploys, error) {
	told := toldDeploys{Since: n.began, Told: map[string]time.Time{}}
	content, err := os.ReadFile(n.file)
	if errors.Is(err, fs.ErrNotExist) {
		return told, n.save(told)
	}
	if err == nil {
		err = json.Unmarshal(content, &told)
	}
	if err != nil {
		return told, fmt.Errorf("deploy news: %w", err)
	}
	if told.Told == nil {
		told.Told = map[string]time.Time{}
	}
	return told, nil
}

// look tells what is new, in order, and what could not be told before. A deploy that
// cannot be told now keeps back those of its owner, and of nobody else.
func (n *deployNews) look(ctx context.Context, told *toldDeploys) error {
	waiting := make(map[plumbline.Owner]bool) // for another look
	failed := n.pay(ctx, told, waiting)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	deploys, err := n.rows(ctx, told.Since)
	if err != nil {
		return errors.Join(failed, fmt.Errorf("read deployments: %w", err))
	}
	for _, d := range deploys {
		if _, old := told.Told[newsKey(d.Deployment)]; old {
			continue
		}
		owner, declared := n.owners[d.Model]
		if declared {
			if err := n.try(ctx, owner, d.Deployment, waiting); ctx.Err() != nil {
				return ctx.Err()
			} else if waiting[owner.Name] {
				failed = errors.Join(failed, err)
				n.owe(told, d.Deployment)
			}
		}
		told.Told[newsKey(d.Deployment)] = d.known
		told.forget(d.known.Add(-newsLate))
		if !declared {
			continue // nothing was told that could be told again
		}
		if err := n.save(*told); err != nil {
			return errors.Join(failed, err)
		}
	}
	if len(deploys) == newsPage {
		// More deploys at once than anybody waits for: go on behind them.
		told.forget(deploys[newsPage-1].known)
	}
	return failed
}

// pay tries again what is owed, and returns what stood in the way.
func (n *deployNews) pay(ctx context.Context, told *toldDeploys, waiting map[plumbline.Owner]bool) (failed error) {
	for i := 0; i < len(told.Owed); {
		d := told.Owed[i]
		if owner, declared := n.owners[d.Model]; declared {
			err := n.try(ctx, owner, d, waiting)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed = errors.Join(failed, err)
			if waiting[owner.Name] {
				i++
				continue
			}
		}
		told.Owed = slices.Delete(told.Owed, i, i+1)
		if err := n.save(*told); err != nil {
			return errors.Join(failed, err)
		}
	}
	return failed
}

// try tells a deploy unless its owner waits for another look, as they do from the first
// that cannot be told.
func (n *deployNews) try(ctx context.Context, owner plumbline.OwnerEntry, d plumbline.Deployment, waiting map[plumbline.Owner]bool) error {
	if waiting[owner.Name] {
		return nil
	}
	err := n.announce(ctx, owner, d)
	waiting[owner.Name] = err != nil
	return err
}

// owe sets a deploy aside, and gives the oldest up of more than anybody waits for.
func (n *deployNews) owe(told *toldDeploys, d plumbline.Deployment) {
	told.Owed = append(told.Owed, d)
	if over := len(told.Owed) - newsOwed; over > 0 {
		for _, d := range told.Owed[:over] {
			n.log.Warn("deploy news: too many wait, not told", "model", d.Model, "deploy", d.Deploy)
		}
		told.Owed = slices.Delete(told.Owed, 0, over)
	}
}

// announce tells one deploy. What PagerDuty will never take is logged and done.
func (n *deployNews) announce(ctx context.Context, owner plumbline.OwnerEntry, d plumbline.Deployment) error {
	err := n.tell(ctx, owner, d, pageOf(n.base, d.Model))
	if errors.Is(err, pagerduty.ErrRefused) {
		n.log.Warn("deploy news: not told", "err", err)
		return nil
	}
	return err
}

// forget drops what became known before since, and looks no further back.
func (t *toldDeploys) forget(since time.Time) {
	if !since.After(t.Since) {
		return
	}
	t.Since = since
	for key, known := range t.Told {
		if known.Before(since) {
			delete(t.Told, key)
		}
	}
}

// save replaces the file in one step.
func (n *deployNews) save(told toldDeploys) (err error) {
	content, err := json.Marshal(told)
	if err != nil {
		return fmt.Errorf("deploy news: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(n.file), 0o700); err != nil {
		return fmt.Errorf("deploy news: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(n.file), ".deploys-told.*")
	if err != nil {
		return fmt.Errorf("deploy news: %w", err)
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), n.file)
	}
	if err != nil {
		return fmt.Errorf("deploy news: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// newsReader reads the table deployments.
type newsReader struct{ db *storage.DB }

func (r newsReader) read(ctx context.Context, since time.Time) ([]knownDeploy, error) {
	rows, err := r.db.Conn().Query(ctx, deployNewsSQL, clickhouse.Named("since", since.UnixMilli()))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []knownDeploy
	for rows.Next() {
		var (
			d                   knownDeploy
			model, hash, served string
		)
		if err := rows.Scan(&model, &hash, &served, &d.Time, &d.Version, &d.By, &d.Commit, &d.DatasetHash, &d.FeatureJob, &d.Note, &d.known); err != nil {
			return nil, err
		}
		d.Model, d.Deploy, d.Stage = plumbline.Model(model), plumbline.DeployHash(hash), plumbline.Stage(served)
		all = append(all, d)
	}
	return all, rows.Err()
}
