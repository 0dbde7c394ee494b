package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// atWorkTimeout bounds the wait for a killed member's session to end and the
// new one to begin a batch.
const atWorkTimeout = 20 * time.Second

// waitAtWork returns when the service has announced a batch in Kafka, or after a
// while: it may have been done with everything before it was looked at.
func (r *run) waitAtWork(ctx context.Context) error {
	late := time.NewTimer(atWorkTimeout)
	defer late.Stop()
	// The former process' intents stand until they are taken over, so a new one
	// shows as any change of the commits.
	before, err := r.commits(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			fmt.Fprintf(r.Text, "  no batch was begun for %s\n", atWorkTimeout)
			return nil
		case <-tick.C:
		}
		now, err := r.commits(ctx)
		if err != nil {
			return err
		}
		for at, commit := range now {
			if commit != before[at] {
				return nil
			}
		}
	}
}

type place struct {
	topic     string
	partition int
}

type commit struct {
	offset int64
	intent string
}

// commits returns what the service has committed, with the intents.
func (r *run) commits(ctx context.Context) (map[place]commit, error) {
	cfg := r.ingest
	ask := make(map[string][]int)
	for _, topic := range []string{cfg.Topics.Predictions, cfg.Topics.Labels} {
		for p := range cfg.Partitions {
			ask[topic] = append(ask[topic], p)
		}
	}
	client := &kafka.Client{Addr: kafka.TCP(cfg.Brokers...)}
	answer, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: cfg.Group, Topics: ask})
	if err != nil {
		return nil, fmt.Errorf("chaos: read the group's commits: %w", err)
	}
	found := make(map[place]commit)
	for topic, partitions := range answer.Topics {
		for _, p := range partitions {
			found[place{topic, p.Partition}] = commit{p.CommittedOffset, p.Metadata}
		}
	}
	return found, nil
}

// intents returns how many partitions have a batch announced and not completed.
func (r *run) intents(ctx context.Context) (int, error) {
	commits, err := r.commits(ctx)
	if err != nil {
		return 0, err
	}
	standing := 0
	for at, c := range commits {
		if c.intent == "" {
			continue
		}
		var intent struct {
			Last *int64 `json:"last"`
		}
		if err := json.Unmarshal([]byte(c.intent), &intent); err != nil {
			return 0, fmt.Errorf("chaos: commit of %s/%d: %w", at.topic, at.partition, err)
		}
		if intent.Last != nil {
			standing++
		}
	}
	return standing, nil
}
