package ingest

import (
	"context"
	"sync"

	plumbline "github.com/plumbline-slo/plumbline"
)

// RawGate says whether there is room for raw rows of predictions. It is asked
// once a batch and must not block.
type RawGate interface{ RawAllowed() bool }

// openGate lets everything through, where nobody watches the disk.
type openGate struct{}

func (openGate) RawAllowed() bool { return true }

// gate is the RawGate with the memory of the topics of which people were told that raw
// rows are left out.
type gate struct {
	RawGate
	leaving sync.Map // topics
}

// leaveOut decides whether a batch is stored without its raw rows: rollups must
// still fit when the disk is nearly full. Labels and deployments are small and
// always stored. A batch of which any raw row is stored gets the others too, so
// that of every batch either all raw rows are there or none.
func (g *gate) leaveOut(t tableRows, present map[partKey]uint64) bool {
	return t.table == plumbline.TablePredictions && len(t.runs) > 0 && len(present) == 0 && !g.RawAllowed()
}

// tellRaw counts the raw rows that a recorded batch was stored without, and
// tells people when that begins and when it is over.
func (w *worker) tellRaw(ctx context.Context, b *batch) {
	if b.rows.predictions == nil {
		return
	}
	g := &w.i.gate
	switch {
	case b.leftOut > 0:
		w.i.metrics.leftOut.WithLabelValues(w.at.Topic).Add(float64(b.leftOut))
		if _, told := g.leaving.LoadOrStore(w.at.Topic, true); !told {
			w.i.notice(ctx, NoticeRawLeftOut, w.at.Topic, "Raw rows of %s are left out from %s on, because there is no room for them. Rollups go on; labels of these predictions cannot be joined, and their hours cannot be verified.", w.at.Topic, b)
		}
	case g.RawAllowed():
		if _, told := g.leaving.LoadAndDelete(w.at.Topic); !told {
			return
		}
		w.i.notice(ctx, NoticeRawStored, w.at.Topic, "Raw rows of %s are stored again from %s on.", w.at.Topic, b)
	}
}
