package join

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
)

// cell is one key of outcome_cells.
type cell struct {
	model, deploy, stage string
	minute, hour         time.Time
	segment              string
}

// counts are those of a cell: requests, and the predictions they were counted
// from.
type counts struct{ labelled, correct, rows int64 }

// oracle computes the cells from the histories by definition: for every id and
// every instant, look at everything known by then and count what holds.
func oracle(rows []row) map[cell]counts {
	type id struct{ model, id string }
	predictions, labels, questions := map[id][]row{}, map[id][]row{}, map[id][]row{}
	for _, r := range rows {
		key := id{r.model, r.id}
		switch {
		case r.table() == "labels":
			labels[key] = append(labels[key], r)
		case r.half == "request" && r.stage != "training":
			questions[key] = append(questions[key], r)
		case r.stage != "training":
			predictions[key] = append(predictions[key], r)
		}
	}
	cells := map[cell]counts{}
	for key, heard := range labels {
		if len(predictions[key]) == 0 {
			continue
		}
		first := func(a, b row) int {
			return cmp.Or(a.known.Compare(b.known), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
		}
		p := slices.MinFunc(predictions[key], first)
		slices.SortFunc(questions[key], first)
		since := func(l row) time.Time {
			if l.known.Before(p.known) {
				return p.known
			}
			return l.known
		}
		var instants []time.Time
		for _, l := range heard {
			instants = append(instants, since(l))
		}
		slices.SortFunc(instants, time.Time.Compare)
		var before counts
		for _, at := range slices.Compact(instants) {
			now := state(p, heard, func(l row) bool { return !since(l).After(at) })
			for _, segment := range append([]string{""}, segmentsOf(p, questions[key])...) {
				c := cell{key.model, p.deploy, p.stage, p.ts.Truncate(time.Minute), at.Truncate(time.Hour), segment}
				sum := cells[c]
				sum.labelled += now.labelled - before.labelled
				sum.correct += now.correct - before.correct
				sum.rows += now.rows - before.rows
				cells[c] = sum
			}
			before = now
		}
	}
	for c, n := range cells {
		if n == (counts{}) {
			delete(cells, c)
		}
	}
	return cells
}

// segmentsOf names those of a prediction, or else of the first question that has
// any: what the declarations of model m mean, spelled out.
func segmentsOf(p row, questions []row) []string {
	for _, r := range append([]row{p}, questions...) {
		if names := segmentsOfRow(r); len(names) > 0 {
			return names
		}
	}
	return nil
}

func segmentsOfRow(r row) (names []string) {
	if r.model != "m" {
		return nil
	}
	region, hasRegion := r.segments["region"]
	device, hasDevice := r.segments["device"]
	if region != "eu" && region != "us" {
		region = "other"
	}
	if device != "phone" {
		device = "other"
	}
	if hasRegion {
		names = append(names, "region="+region)
	}
	if hasDevice {
		names = append(names, "device="+device)
	}
	if hasRegion && hasDevice {
		names = append(names, "device="+device+",region="+region)
	}
	return names
}

// state is what the labels that are known say of a prediction.
func state(p row, labels []row, known func(row) bool) counts {
	var winner *row
	for _, l := range labels {
		if !known(l) {
			continue
		}
		if winner == nil || cmp.Or(l.ts.Compare(winner.ts), cmp.Compare(l.topic, winner.topic), cmp.Compare(l.partition, winner.partition),
			cmp.Compare(l.offset, winner.offset), cmp.Compare(l.epoch, winner.epoch)) > 0 {
			winner = &l
		}
	}
	if winner == nil || winner.deleted {
		return counts{}
	}
	right := p.class == winner.class
	if p.class == "" && winner.class == "" {
		right = p.value != nil && winner.value != nil && *p.value == *winner.value
	}
	weight := int64(max(p.weight, 1))
	if right {
		return counts{weight, weight, 1}
	}
	return counts{weight, 0, 1}
}

// storedCells reads the cells as they stand, without those that sum to zero.
func storedCells(t *testing.T, db *storage.DB) map[cell]counts {
	t.Helper()
	rows, err := db.Conn().Query(t.Context(),
		"SELECT model, deploy_hash, stage, time, known, segment, labelled, correct, rows FROM outcome_cells FINAL WHERE labelled != 0 OR correct != 0 OR rows != 0")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	cells := map[cell]counts{}
	for rows.Next() {
		var (
			c cell
			n counts
		)
		if err := rows.Scan(&c.model, &c.deploy, &c.stage, &c.minute, &c.hour, &c.segment, &n.labelled, &n.correct, &n.rows); err != nil {
			t.Fatal(err)
		}
		c.minute, c.hour = c.minute.UTC(), c.hour.UTC()
		cells[c] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return cells
}

func compareCells(t *testing.T, got, want map[cell]counts) {
	t.Helper()
	different := 0
	differ := func(c cell) {
		if different++; different <= 5 {
			t.Errorf("%s %s %s %q, minute %s, known %s: %+v, want %+v", c.model, c.deploy, c.stage, c.segment,
				c.minute.Format(time.TimeOnly), c.hour.Format(time.TimeOnly), got[c], want[c])
		}
	}
	for c, n := range want {
		if got[c] != n {
			differ(c)
		}
	}
	for c := range got {
		if _, ok := want[c]; !ok {
			differ(c)
		}
	}
	if different > 0 {
		t.Errorf("%d of %d cells differ", different, len(want))
	}
}
