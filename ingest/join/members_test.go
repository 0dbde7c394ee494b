package join

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Processes that are there share the partitions, one each; what one leaves behind
// goes to the others, and no other partition moves.
func TestMembersShareThePartitions(t *testing.T) {
	members := []string{"a", "b", "c"}
	owners := func(members []string) map[partition]string {
		all := map[partition]string{}
		for n := range 60 {
			p := partition{topic: []string{"labels", "predictions"}[n%2], epoch: "e", number: int32(n / 2)}
			for _, m := range members {
				if owns(m, members, p) {
					if all[p] != "" {
						t.Errorf("%s belongs to %s and %s", p.key(), all[p], m)
					}
					all[p] = m
				}
			}
		}
		if len(all) != 60 {
			t.Errorf("%d of 60 partitions have an owner", len(all))
		}
		return all
	}
	before, after := owners(members), owners(members[:2])
	share := map[string]int{}
	for p, owner := range before {
		share[owner]++
		if owner != "c" && after[p] != owner {
			t.Errorf("%s moved from %s to %s when c went", p.key(), owner, after[p])
		}
	}
	for _, m := range members {
		if share[m] < 10 {
			t.Errorf("%s has %d of 60 partitions", m, share[m])
		}
	}
	if !owns("a", nil, partition{}) {
		t.Error("who knows of nobody has nothing")
	}
}

// Three processes follow every label once between them, and the cells are those
// of one.
func TestMembersDoNotRepeatTheWorkOfOthers(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	const labels = 60
	for i := range labels {
		known := start.Add(time.Duration(i) * time.Minute)
		id := strconv.Itoa(i)
		w.append(row{model: "m", id: id, topic: "predictions", epoch: "e", partition: int32(i % 6), ts: start, known: start, deploy: "a", stage: "production", class: "yes"})
		w.append(row{model: "m", id: id, topic: "labels", epoch: "e", partition: int32(i % 6), ts: known, known: known, class: "yes"})
	}
	for _, key := range w.pending() {
		w.store(key, labels, true)
	}
	var joiners []*Join
	for range 3 {
		j := newJoin(t, db, 1000)
		j.cfg.MemberTimeout = time.Hour // a machine that is busy makes nobody gone
		joiners = append(joiners, j)
	}
	for range 2 { // the first to look does not see the others yet
		for _, j := range joiners {
			if err := j.beat(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	var sum uint64
	for _, j := range joiners {
		p, err := j.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(j.seen()) != 3 {
			t.Errorf("%d members are seen", len(j.seen()))
		}
		sum += p.Labels
	}
	if sum != labels {
		t.Errorf("%d labels were followed in all, want %d", sum, labels)
	}
	joiners[2].leave(t.Context())
	if err := joiners[0].beat(t.Context()); err != nil || len(joiners[0].seen()) != 2 {
		t.Errorf("%d members are left when one went, %v", len(joiners[0].seen()), err)
	}
	if v, err := joiners[0].Verify(t.Context()); err != nil || !v.Equal() || v.Labelled != labels {
		t.Errorf("%+v, %v", v, err)
	}
}

// A step that takes longer than the timeout does not make its process gone: the
// others leave its partitions to it.
func TestAProcessIsThereWhileItsStepGoesOn(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	w.append(row{model: "m", id: "1", topic: "predictions", epoch: "e", ts: start, known: start, deploy: "a", stage: "production", class: "yes"})
	w.append(row{model: "m", id: "1", topic: "labels", epoch: "e", ts: start, known: start.Add(time.Hour), class: "yes"})
	for _, key := range w.pending() {
		w.store(key, 1, true)
	}
	j := newJoin(t, db, 1000)
	j.cfg.MemberTimeout = time.Second
	stuck, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	j.before = func(statement string) error {
		if statement == "outcomes" {
			once.Do(func() { close(stuck) })
			<-goOn
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ended := make(chan error)
	go func() { ended <- j.Run(ctx) }()
	<-stuck
	seen := func() (at time.Time) {
		t.Helper()
		if err := db.Conn().QueryRow(ctx, "SELECT max(seen) FROM join_members WHERE member = {member:String}", clickhouse.Named("member", j.member)).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	for first := seen(); seen().Sub(first) <= j.cfg.MemberTimeout; {
	}
	close(goOn)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
