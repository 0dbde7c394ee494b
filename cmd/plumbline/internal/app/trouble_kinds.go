package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage/engine"
)

// troubleKind is one way in which the service itself can be in trouble.
type troubleKind struct {
	alert    string
	severity string
	// summary is the headline, of the object; short, because a phone cuts it.
	summary string
	// event marks what happened once and is over by itself after a while. The
	// others last until somebody says that they are over.
	event bool
}

var (
	partitionParked = troubleKind{alert: "PartitionParked", severity: plumbline.SeverityPage, summary: "partition %s is parked, nothing of it is stored"}
	partitionPaused = troubleKind{alert: "PartitionPaused", severity: plumbline.SeverityPage, summary: "too many events of partition %s are bad"}
	decodingWaits   = troubleKind{alert: "DecodingWaits", severity: plumbline.SeverityPage, summary: "events of partition %s wait for their schema"}
	kafkaRefused    = troubleKind{alert: "KafkaRefused", severity: plumbline.SeverityPage, summary: "Kafka at %s refuses this service, no event is read"}
	offsetsLost     = troubleKind{alert: "OffsetsLost", severity: plumbline.SeverityPage, summary: "Kafka dropped records of %s that are not stored", event: true}
	newEpoch        = troubleKind{alert: "NewEpoch", severity: plumbline.SeverityTicket, summary: "partition %s was recreated or set back in Kafka", event: true}
	offsetRewound   = troubleKind{alert: "OffsetRewound", severity: plumbline.SeverityTicket, summary: "the committed offset of %s was behind what is stored", event: true}
	offsetAhead     = troubleKind{alert: "OffsetAhead", severity: plumbline.SeverityPage, summary: "ClickHouse lacks what was read of %s, it is read again", event: true}
	engineCrashLoop = troubleKind{alert: "EngineCrashLoop", severity: plumbline.SeverityPage, summary: "ClickHouse at %s crashed 5 times within 5 minutes"}
	diskFull        = troubleKind{alert: "DiskFull", severity: plumbline.SeverityPage, summary: "the disk of %s is nearly full, raw rows are left out"}
)

// troubleKinds are all of them.
func troubleKinds() []troubleKind {
	return []troubleKind{
		partitionParked, partitionPaused, decodingWaits, kafkaRefused, offsetsLost, newEpoch, offsetRewound, offsetAhead, engineCrashLoop, diskFull,
	}
}

// Kinds of notices about the engine; those of ingest are declared there.
const (
	noticeCrashLoop = "engine_crash_loop"
	noticeRecovered = "engine_recovered"
	noticeDiskFull  = "disk_full"
	noticeDiskOK    = "disk_ok"
)

// Notice implements ingest.Noticer.
func (t *troubles) Notice(_ context.Context, n ingest.Notice) error {
	t.remember(string(n.Kind), n.Object, n.Text)
	switch n.Kind {
	case ingest.NoticeParked:
		t.begin(partitionParked, n.Object, n.Text)
	case ingest.NoticeUnparked:
		t.end(partitionParked, n.Object)
	case ingest.NoticePaused:
		t.begin(partitionPaused, n.Object, n.Text)
	case ingest.NoticeUnpaused:
		t.end(partitionPaused, n.Object)
	case ingest.NoticeWaits:
		t.begin(decodingWaits, n.Object, n.Text)
	case ingest.NoticeGoesOn:
		t.end(decodingWaits, n.Object)
	case ingest.NoticeRefused:
		t.begin(kafkaRefused, n.Object, n.Text)
	case ingest.NoticeAccepted:
		t.end(kafkaRefused, n.Object)
	case ingest.NoticeOffsetsLost:
		t.begin(offsetsLost, n.Object, n.Text)
	case ingest.NoticeNewEpoch:
		t.begin(newEpoch, n.Object, n.Text)
	case ingest.NoticeRewound:
		t.begin(offsetRewound, n.Object, n.Text)
	case ingest.NoticeAhead:
		t.begin(offsetAhead, n.Object, n.Text)
	}
	return nil
}

// engineState is what is watched of the embedded engine.
type engineState interface {
	Disk() engine.DiskState
	Ready() bool
	Restarts() int
}

// engineWatch tells troubles how the embedded engine does.
type engineWatch struct {
	*troubles
	engine engineState
	object string  // host and data directory
	limit  float64 // of the disk

	restarts int
	settled  time.Time // since when it answers without another crash
}

// engineObject names an engine beyond one machine.
func engineObject(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	host, err := os.Hostname()
	if err != nil {
		return dir
	}
	return host + ":" + dir
}

// run looks until ctx is done.
func (w *engineWatch) run(ctx context.Context) error {
	ticker := time.NewTicker(w.cfg.Look)
	defer ticker.Stop()
	for {
		w.look()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// crashLoop is the engine's OnCrashLoop. It does not block.
func (t *troubles) crashLoop(object string, cause error) {
	if !t.isActive(engineCrashLoop, object) {
		t.remember(noticeCrashLoop, object, cause.Error())
	}
	t.begin(engineCrashLoop, object, "The service is not ready and Kafka is the buffer: nothing is lost as long as Kafka keeps it. ClickHouse is started again every 30 seconds.\n"+
		strings.ReplaceAll(cause.Error(), " | ", "\n"))
}

// look turns the state of the engine into troubles that begin and end. A disk
// that cannot be looked at changes nothing.
func (w *engineWatch) look() {
	switch full := w.isActive(diskFull, w.object); w.engine.Disk() {
	case engine.DiskFull:
		if !full {
			text := fmt.Sprintf("More than %.0f %% of the disk is used. New predictions are counted in the rollups but their raw rows are not stored: their labels cannot be joined. Free some space or shorten clickhouse.retention.raw.", 100*w.limit)
			w.remember(noticeDiskFull, w.object, text)
			w.begin(diskFull, w.object, text)
		}
	case engine.DiskOK:
		if full {
			w.remember(noticeDiskOK, w.object, "The disk has room again: raw rows are stored.")
			w.end(diskFull, w.object)
		}
	}
	now, restarts := w.now(), w.engine.Restarts()
	if !w.engine.Ready() || restarts != w.restarts || w.settled.IsZero() {
		w.restarts, w.settled = restarts, now
	}
	if w.isActive(engineCrashLoop, w.object) && w.engine.Ready() && now.Sub(w.settled) >= w.cfg.Settle {
		w.remember(noticeRecovered, w.object, fmt.Sprintf("ClickHouse has answered for %s without another crash.", w.cfg.Settle))
		w.end(engineCrashLoop, w.object)
	}
}

// rawGate is the engine's disk as ingest sees it.
type rawGate struct{ engine engineState }

// RawAllowed implements ingest.RawGate: a disk that cannot be looked at is not
// called full.
func (g rawGate) RawAllowed() bool { return g.engine.Disk() != engine.DiskFull }
