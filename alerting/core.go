package alerting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/api"
	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	// alertGC is how soon an alert that nobody sends any more is written down
	// as ended.
	alertGC        = time.Minute
	dispatchUpkeep = 30 * time.Second
	apiTimeout     = 30 * time.Second
	stopGrace      = 10 * time.Second
	dirMode        = 0o700
	// nflogRetention outlives the longest silence of an incident.
	nflogRetention = maxSilence + 24*time.Hour
)

// core is one running tree of Alertmanager's parts. It is built by start and
// torn down by stop, as alertmanager/app does.
type core struct {
	config   Config
	channels []Channel
	journal  Journal
	recorder Recorder
	windows  Windows
	// correlator may be nil.
	correlator Correlator
	metrics    *metrics
	logger     *slog.Logger
	texts      *texts

	alerts       *alertStore
	silences     *silence.Silences
	silenceFile  *frameFile
	silencer     *silence.Silencer
	nflog        *durableNflog
	incidents    *incidentLedger
	fence        *fence
	groups       marker.GroupMarker
	routes       *config.Config
	tree         *dispatch.Route // of routes
	inhibitor    *inhibit.Inhibitor
	dispatcher   *dispatch.Dispatcher
	handler      http.Handler
	files        map[string]*frameFile
	broke        chan struct{} // one slot: a file could not be written
	maintenances sync.WaitGroup
	peer         *cluster.Peer // nil alone
	durable      []*durableState
	gossiped     []*gossipedState
	heavy        bool // that gossiped nears its limit was said
	beats        beats
	sends        sendGate
}

// sendGate lets a send that has begun end before the files are closed: one that
// was delivered and not written down would be delivered again.
type sendGate struct {
	cut    context.Context // ends when sends in flight must end
	cutNow context.CancelFunc

	mu     sync.RWMutex
	closed bool
}

// wrap runs the stage unless the gate is closed.
func (g *sendGate) wrap(stage notify.Stage) notify.Stage {
	return notify.StageFunc(func(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
		g.mu.RLock()
		defer g.mu.RUnlock()
		if g.closed {
			return ctx, nil, ErrStopped
		}
		return stage.Exec(ctx, l, alerts...)
	})
}

// detach returns a context that outlives the dispatcher's, but neither its
// deadline nor the grace that close leaves.
func (g *sendGate) detach(ctx context.Context) (context.Context, context.CancelFunc) {
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	free := []func(){cancel}
	if deadline, ok := ctx.Deadline(); ok {
		detached, cancel = context.WithDeadline(detached, deadline)
		free = append(free, cancel)
	}
	stop := context.AfterFunc(g.cut, free[0])
	return detached, func() {
		stop()
		for _, f := range free {
			f()
		}
	}
}

// close waits for the sends in flight, and cuts them off after the grace.
func (g *sendGate) close(grace time.Duration) {
	timer := time.AfterFunc(grace, g.cutNow)
	defer timer.Stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.cutNow()
}

// durableNflog is Alertmanager's notification log, on disk before Log returns.
type durableNflog struct {
	log       *nflog.Log
	file      *frameFile
	append    func(frame []byte)
	retention time.Duration
}

// Query implements notify.NotificationLog.
func (d *durableNflog) Query(params ...nflog.QueryParam) ([]*nflogpb.Entry, error) {
	return d.log.Query(params...)
}

// Log implements notify.NotificationLog. The broadcast that the log makes of
// every entry has been appended to the file when it returns. An entry of a time that
// has not come, as those are that were written before the clock was set back, would
// keep the new one from being written, and ends of pages from being sent: it is
// replaced.
// An entry is kept for the log's retention and not, as Alertmanager asks, for two
// repeat intervals: an incident that was silenced or acknowledged for longer is
// still the same.
func (d *durableNflog) Log(r *nflogpb.Receiver, key string, firing, resolved []uint64, store *nflog.Store, _ time.Duration) error {
	former, err := d.log.Query(nflog.QGroupKey(key), nflog.QReceiver(r))
	if err == nil && len(former) == 1 && former[0].Timestamp.AsTime().After(time.Now().Add(clocksDiffer)) {
		err = d.replace(former[0].Timestamp.AsTime(), r, key, firing, resolved, store)
	} else {
		err = d.log.Log(r, key, firing, resolved, store, 0)
	}
	return errors.Join(err, d.file.Err())
}

// replace logs in place of an entry of a time that has not come: a moment later than
// that, so that replicas that have it take the new one.
func (d *durableNflog) replace(at time.Time, r *nflogpb.Receiver, key string, firing, resolved []uint64, store *nflog.Store) error {
	// Only a log knows what is in a store.
	scratch, err := nflog.New(nflog.Options{Retention: d.retention, Metrics: prometheus.NewRegistry()})
	if err != nil {
		return err
	}
	var entry nflogpb.MeshEntry
	var broken error
	scratch.SetBroadcast(func(frame []byte) { broken = protodelim.UnmarshalFrom(bytes.NewReader(frame), &entry) })
	if err := errors.Join(scratch.Log(r, key, firing, resolved, store, 0), broken); err != nil {
		return err
	}
	entry.Entry.Timestamp = timestamppb.New(at.Add(time.Nanosecond))
	var frame bytes.Buffer
	if _, err := protodelim.MarshalTo(&frame, &entry); err != nil {
		return err
	}
	if err := d.log.Merge(frame.Bytes()); err != nil {
		return err
	}
	if cluster.OversizedMessage(frame.Bytes()) {
		d.append(frame.Bytes()) // which Merge passes on to nobody
	}
	return nil
}

// start brings everything up in the one order that neither notifies of what is
// inhibited nor forgets what ended meanwhile: state from disk, alerts from disk
// and from the rules, the inhibitor, the dispatcher.
func (c *core) start(ctx context.Context, seed ActiveAlerts) error {
	if err := os.MkdirAll(c.config.DataDir, dirMode); err != nil {
		return fmt.Errorf("create alerting data directory: %w", err)
	}
	for _, open := range []func() error{c.openNflog, c.openSilences, c.openIncidents, c.openFence, c.openAlerts} {
		if err := open(); err != nil {
			return err
		}
	}
	c.heedFiles()
	if err := c.openCluster(); err != nil {
		return err
	}
	if err := c.alerts.load(ctx, time.Now(), c.config.RestartGrace); err != nil {
		return err
	}
	c.seed(ctx, seed)

	parsed, err := routes(c.config)
	if err != nil {
		return err
	}
	c.routes, c.tree = parsed, dispatch.NewRoute(parsed.Route, nil)
	c.groups = marker.NewGroupMarker()
	c.inhibitor = inhibit.NewInhibitor(c.alerts, parsed.InhibitRules, c.logger, eventrecorder.Recorder{})
	go c.inhibitor.Run()
	c.inhibitor.WaitForLoading()

	c.dispatcher = dispatch.NewDispatcher(
		c.alerts, c.tree, c.pipeline(), c.groups,
		func(d time.Duration) time.Duration {
			return max(d, notify.MinTimeout) + c.config.ExplainTimeout + c.turn()
		},
		dispatchUpkeep, nil, c.logger, eventrecorder.Recorder{},
		dispatch.NewDispatcherMetrics(false, c.metrics.alertmanager, featurecontrol.NoopFlags{}), nil,
	)
	if c.peer != nil {
		c.maintenances.Add(1)
		go c.join(ctx)
	}
	go c.dispatcher.Run(time.Now())
	c.dispatcher.WaitForLoading()
	return c.buildAPI()
}

func (c *core) open(name string) (*frameFile, []byte, error) {
	file, content, err := openFrameFile(filepath.Join(c.config.DataDir, name))
	if err == nil {
		c.files[name] = file
	}
	return file, content, err
}

func (c *core) openNflog() error {
	file, content, err := c.open("nflog")
	if err != nil {
		return err
	}
	retention := c.config.nflogRetention()
	log, err := nflog.New(nflog.Options{
		SnapshotReader: bytes.NewReader(newestFrames(content, ofNotification)), Retention: retention, Logger: c.logger, Metrics: c.metrics.alertmanager,
	})
	if err != nil {
		return fmt.Errorf("load notification log: %w", err)
	}
	log.SetBroadcast(c.append("nflog", file))
	c.nflog = &durableNflog{log: log, file: file, append: c.append("nflog", file), retention: retention}
	return nil
}

func (c *core) openSilences() error {
	file, content, err := c.open("silences")
	if err != nil {
		return err
	}
	silences, err := silence.New(silence.Options{
		SnapshotReader: bytes.NewReader(newestFrames(content, ofSilence)), Retention: c.config.Retention, Logger: c.logger, Metrics: c.metrics.alertmanager,
	})
	if err != nil {
		return fmt.Errorf("load silences: %w", err)
	}
	silences.SetBroadcast(c.append("silences", file))
	c.silences, c.silenceFile = silences, file
	c.silencer = silence.NewSilencer(silences, c.logger, eventrecorder.Recorder{})
	return nil
}

func (c *core) openIncidents() error {
	ledger, err := openLedger(filepath.Join(c.config.DataDir, "incidents"), c.config.IncidentRetention, c.config.Retention)
	if err != nil {
		return err
	}
	c.files["incidents"], c.incidents = ledger.file, ledger
	return nil
}

// acked returns who took on the open incident of a key.
func (c *core) acked(key string) (Ack, bool) {
	i, err := c.incidents.get(key)
	if err != nil || !i.Open() {
		return Ack{}, false
	}
	return i.Acknowledged()
}

// append returns the broadcast of a component: each change goes to its file.
// The error stays with the file, where the writer asks for it.
func (c *core) append(name string, file *frameFile) func([]byte) {
	return func(frame []byte) {
		if err := file.Append(frame); err != nil {
			c.metrics.storageFailures.WithLabelValues(name).Inc()
		}
	}
}

func (c *core) openAlerts() error {
	store, err := openAlertStore(filepath.Join(c.config.DataDir, "alerts"))
	if err != nil {
		return err
	}
	c.files["alerts"], store.flap = store.file, c.config.GroupInterval
	callback := storeCallback{Silencer: c.silencer, expired: func(a *alert.Alert) {
		if err := store.expired(a); err != nil {
			c.metrics.storageFailures.WithLabelValues("alerts").Inc()
			c.logger.Error("store the end of an alert", "err", err)
		}
	}}
	store.Alerts, err = mem.NewAlerts(context.Background(), alertGC, 0, callback, c.logger,
		eventrecorder.Recorder{}, c.metrics.alertmanager, featurecontrol.NoopFlags{})
	if err != nil {
		return fmt.Errorf("create alert memory: %w", err)
	}
	c.alerts = store
	return nil
}

// seed adds what the rules know to be firing. Without it the alerts on disk
// must do, so an error is counted and the start goes on.
func (c *core) seed(ctx context.Context, active ActiveAlerts) {
	if active == nil {
		return
	}
	now := time.Now()
	alerts, err := active.ActiveAlerts(ctx)
	if err == nil {
		for i := range alerts {
			if alerts[i].EndsAt.IsZero() || alerts[i].EndsAt.Before(now.Add(c.config.RestartGrace)) && !alerts[i].resolvedAt(now) {
				alerts[i].EndsAt = now.Add(c.config.RestartGrace)
			}
		}
		var valid []*alert.Alert
		valid, err = toAlertmanagers(alerts, now, c.config.ResolveTimeout)
		for _, a := range valid {
			a.UpdatedAt = a.StartsAt // remembered, not said
		}
		err = errors.Join(err, c.alerts.Put(ctx, valid...))
	}
	if err != nil {
		c.metrics.seedFailures.Inc()
		c.logger.Error("seed alerts from the rules", "err", err)
	}
}

func (c *core) buildAPI() error {
	var peers cluster.ClusterPeer // the nil interface alone
	if c.peer != nil {
		peers = c.peer
	}
	apiHandler, err := api.New(api.Options{
		Peer: peers, Alerts: c.alerts, Silences: c.silences, GroupMutedFunc: c.groups.Muted,
		Timeout: apiTimeout, Logger: c.logger, Registry: c.metrics.alertmanager,
		RequestDuration: c.metrics.requestDurations, GroupFunc: c.dispatcher.Groups,
	})
	if err != nil {
		return fmt.Errorf("create Alertmanager API: %w", err)
	}
	apiHandler.Update(c.routes, func(ctx context.Context, labels model.LabelSet) {
		c.inhibitor.Mutes(ctx, labels)
		c.silencer.Mutes(ctx, labels)
	})
	prefix := "/" + strings.Trim(c.config.RoutePrefix, "/")
	router := route.New()
	if prefix != "/" {
		router = router.WithPrefix(prefix)
	}
	c.handler = c.fence.fenced(durableSilences(apiHandler.Register(router, prefix), c.silenceFile))
	return nil
}

// stop ends everything that start has begun, however far it came.
func (c *core) stop() error {
	c.dispatcher.Stop()
	c.sends.close(stopGrace)
	c.leave()
	c.inhibitor.Stop()
	if c.alerts != nil && c.alerts.Alerts != nil {
		c.alerts.Close()
	}
	c.maintenances.Wait()
	var errs []error
	for name, file := range c.files {
		if err := file.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
