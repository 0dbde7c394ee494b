package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// letterBox is a dead-letter topic, with the topics that its letters come from.
type letterBox struct {
	*deadletters.Box
	sources []string
}

// refuseUnknown refuses a reason or a topic that no letter can have: an empty list
// would say that nothing was refused. Other writers than ingest have reasons and topics
// of their own, so the letters are asked before a name is called wrong.
func (b letterBox) refuseUnknown(ctx context.Context, f deadletters.Filter) error {
	reasons, topics := map[string]bool{}, map[string]bool{}
	for _, r := range decode.Reasons() {
		reasons[r.String()] = true
	}
	for _, s := range b.sources {
		topics[s] = true
	}
	ok := func() bool { return (f.Reason == "" || reasons[f.Reason]) && (f.Topic == "" || topics[f.Topic]) }
	if ok() {
		return nil
	}
	err := b.Each(ctx, deadletters.Filter{}, func(l deadletters.Letter) error {
		reasons[l.Reason] = true
		if l.Malformed == "" {
			topics[l.Source.Topic] = true
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("dlq: %w", err)
	case ok():
		return nil
	case f.Reason != "" && !reasons[f.Reason]:
		return usageError{fmt.Errorf("--reason %q: there is none; the reasons are %s", f.Reason, listed(reasons))}
	}
	return usageError{fmt.Errorf("--topic %q: no source of the configuration, and of no letter; the topics are %s", f.Topic, listed(topics))}
}

// refuseAbsent refuses the offset of one letter that is not there: a replay of nothing
// would look like one that has nothing left to do. A range may be empty.
func (b letterBox) refuseAbsent(ctx context.Context, r *deadletters.Range) error {
	if r == nil || r.First != r.Last {
		return nil
	}
	_, err := b.Get(ctx, r.Partition, r.First)
	return err
}

// listed sorts names, of which some are strangers'.
func listed(names map[string]bool) string {
	delete(names, "")
	return printable(strings.Join(slices.Sorted(maps.Keys(names)), ", "), 0)
}
