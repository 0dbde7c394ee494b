package alerting

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
)

const (
	// gossipLimit is the most that memberlist takes of another replica's states at
	// once (maxPushStateBytes). Of more it takes nothing, and pages what the other has
	// paged, silenced or acknowledged.
	gossipLimit = 20 << 20
	// gossipNear is when somebody is told, as early as memberlist writes it to its log.
	gossipNear = gossipLimit * 6 / 10
)

// AlertGossipNearlyFull is the alert that what replicas tell each other nears what they
// take.
const AlertGossipNearlyFull = "GossipNearlyFull"

// gossipedState is a state that is told to other replicas, and how large it is.
type gossipedState struct {
	cluster.State
	bytes prometheus.Gauge
}

// gossips returns a state to be told, named as its file is.
func (c *core) gossips(file *frameFile, state cluster.State) *gossipedState {
	s := &gossipedState{State: state, bytes: c.metrics.gossip.WithLabelValues(filepath.Base(file.path))}
	c.gossiped = append(c.gossiped, s)
	return s
}

// MarshalBinary implements cluster.State.
func (s *gossipedState) MarshalBinary() ([]byte, error) {
	b, err := s.State.MarshalBinary()
	if err == nil {
		s.bytes.Set(float64(len(b)))
	}
	return b, err
}

// weigh tells the service's owner while what is gossiped is more than near.
func (c *core) weigh(ctx context.Context, near int) error {
	total := 0
	for _, s := range c.gossiped {
		b, err := s.MarshalBinary()
		if err != nil {
			return fmt.Errorf("weigh what is gossiped: %w", err)
		}
		total += len(b)
	}
	heavy := total > near
	if !heavy && !c.heavy {
		return nil
	}
	now := time.Now()
	ends := now
	if heavy {
		ends = now.Add(3 * upkeep)
	}
	alerts, err := toAlertmanagers([]Alert{{
		Labels: map[string]string{
			plumbline.LabelAlert: AlertGossipNearlyFull, plumbline.LabelObject: c.config.Cluster.name(),
			plumbline.LabelSeverity: plumbline.SeverityTicket, plumbline.LabelOwner: string(c.config.ServiceOwner),
		},
		Annotations: map[string]string{
			plumbline.AnnotationSummary:     "what " + c.config.Cluster.name() + " tells other replicas nears what they take",
			plumbline.AnnotationDescription: fmt.Sprintf("It is %.1f MiB of %d MiB. Of more, a replica that joins takes nothing, and pages what was paged, silenced or acknowledged.", float64(total)/(1<<20), gossipLimit>>20),
			plumbline.AnnotationRunbook:     c.config.ExternalURL + "/runbooks/service",
		},
		StartsAt: now, EndsAt: ends,
	}}, now, c.config.ResolveTimeout)
	if err = errors.Join(err, c.alerts.Put(ctx, alerts...)); err != nil {
		return fmt.Errorf("alert that what is gossiped nears its limit: %w", err)
	}
	c.heavy = heavy
	return nil
}
