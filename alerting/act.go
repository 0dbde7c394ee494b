package alerting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/silence/silencepb"
	"google.golang.org/protobuf/types/known/timestamppb"

	plumbline "github.com/plumbline-slo/plumbline"
)

// maxSilence is the longest silence that a person can ask for without writing
// one through the API.
const maxSilence = 30 * 24 * time.Hour

// Incidents returns the incidents of the retention, the latest first.
func (s *Service) Incidents(ctx context.Context) ([]Incident, error) {
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	return s.core.incidents.all(), nil
}

// Incident returns an incident by its ID, or by its key: then the open one, or
// the last. It returns ErrNoIncident for one that is not known.
func (s *Service) Incident(ctx context.Context, incident string) (Incident, error) {
	if err := s.awaitReady(ctx); err != nil {
		return Incident{}, err
	}
	return s.core.incidents.get(incident)
}

// Acknowledge records that somebody took on an open incident, named by its ID or
// its key, and returns it when that is on disk. The channels are told at the
// incident's next turn, at most Config.GroupInterval later, and no repeat is
// sent at this level any more, until it has ended and fires again: then people
// are told anew. The first acknowledgement of a level counts; later ones change
// nothing. An incident that is over, or not known, is
// ErrNoIncident.
func (s *Service) Acknowledge(ctx context.Context, incident, who string) (Incident, error) {
	return s.AcknowledgeLevel(ctx, incident, "", time.Time{}, who)
}

// AcknowledgeLevel is Acknowledge by somebody who saw the incident at a level and a
// time: who takes note of a ticket that is becoming a page has not seen the page, and
// nobody has seen what began to fire later. Empty, unknown or higher than it has is the
// level that it has now, and the zero time is now.
func (s *Service) AcknowledgeLevel(ctx context.Context, incident, level string, saw time.Time, who string) (Incident, error) {
	return s.act(ctx, incident, who, func(i Incident, at time.Time) Incident {
		seen := i.seen(level)
		if _, ok := i.Acks[seen]; ok || !saw.IsZero() && saw.Before(i.levelAt(seen)) {
			return i
		}
		return i.with(IncidentEvent{At: at, Kind: EventAcknowledged, By: who, Text: seen})
	})
}

// SilenceRequest asks that an incident notify nobody for a while.
type SilenceRequest struct {
	// Level is the level that was seen, empty for the one that the incident has.
	Level string
	// For is how long, at most 30 days.
	For time.Duration
	// By is who asks, Comment why.
	By, Comment string
}

// Silence keeps an open incident from notifying anybody, and returns the silence's id
// when it is on disk. It is a silence like any other: amtool lists and expires it. The
// end of the incident is still told, and of one that was seen as a ticket the page: who
// wants a ticket to be quiet has not seen the page that it becomes.
func (s *Service) Silence(ctx context.Context, incident string, ask SilenceRequest) (id string, err error) {
	if ask.For <= 0 || ask.For > maxSilence {
		return "", fmt.Errorf("silence incident %s: %s is not between 0 and %s", incident, ask.For, maxSilence)
	}
	if err := s.awaitReady(ctx); err != nil {
		return "", err
	}
	i, err := s.core.incidents.get(incident)
	if err != nil {
		return "", err
	}
	if !i.Open() {
		return "", fmt.Errorf("silence incident: %w: %q is over", ErrNoIncident, incident)
	}
	now := time.Now()
	silence := &silencepb.Silence{
		MatcherSets: []*silencepb.MatcherSet{{Matchers: i.matchers(i.seen(ask.Level))}},
		StartsAt:    timestamppb.New(now), EndsAt: timestamppb.New(now.Add(ask.For)),
		CreatedBy: ask.By, Comment: ask.Comment,
	}
	if err := errors.Join(s.core.silences.Set(ctx, silence), s.core.silenceFile.Err()); err != nil {
		return "", fmt.Errorf("silence incident %s: %w", incident, err)
	}
	if _, err := s.act(ctx, i.ID, ask.By, func(i Incident, at time.Time) Incident {
		return i.with(IncidentEvent{At: at, Kind: EventSilenced, By: ask.By, Text: fmt.Sprintf("for %s: %s", ask.For, ask.Comment)})
	}); err != nil {
		// The silence stands all the same: only the incident's history is without it.
		s.core.metrics.storageFailures.WithLabelValues("incidents").Inc()
		s.core.logger.Error("store the silence of an incident in its history", "incident", i.ID, "silence", silence.Id, "err", err)
	}
	return silence.Id, nil
}

// seen is the level that somebody who was shown one saw: that of the incident unless it
// is known and lower.
func (i Incident) seen(level string) string {
	if rank := severityRank(level); rank > 0 && rank < severityRank(i.Severity) {
		return level
	}
	return i.Severity
}

// matchers match the alerts of the incident up to a level, and no others.
func (i Incident) matchers(level string) []*silencepb.Matcher {
	pairs := [][2]string{{plumbline.LabelModel, string(i.Model)}, {plumbline.LabelDeploy, string(i.Deploy)}, {plumbline.LabelSLO, string(i.SLO)}}
	if i.Model == "" {
		pairs = [][2]string{{plumbline.LabelModel, ""}, {plumbline.LabelAlert, i.Name}, {plumbline.LabelObject, i.Object}}
	}
	var out []*silencepb.Matcher
	for _, p := range pairs {
		out = append(out, &silencepb.Matcher{Type: silencepb.Matcher_EQUAL, Name: p[0], Pattern: p[1]})
	}
	if level != plumbline.SeverityPage {
		out = append(out, &silencepb.Matcher{Type: silencepb.Matcher_NOT_EQUAL, Name: plumbline.LabelSeverity, Pattern: plumbline.SeverityPage})
	}
	return out
}

// act makes a change that a person asked for.
func (s *Service) act(ctx context.Context, incident, who string, change func(Incident, time.Time) Incident) (Incident, error) {
	if who == "" {
		return Incident{}, errors.New("act on an incident: nobody's name is given")
	}
	if err := s.awaitReady(ctx); err != nil {
		return Incident{}, err
	}
	now, over := moment(time.Now()), false
	changed, err := s.core.incidents.change(incident, func(i Incident) Incident {
		if over = !i.Open(); over {
			return i
		}
		return change(i, now)
	})
	if err == nil && over {
		err = fmt.Errorf("%w: %q is over", ErrNoIncident, incident)
	}
	return changed, err
}

// awaitReady returns when the service takes alerts, or why it does not.
func (s *Service) awaitReady(ctx context.Context) error {
	select {
	case <-s.stopped:
		return ErrStopped
	default:
	}
	select {
	case <-s.ready:
		return nil
	case <-s.stopped:
		return ErrStopped
	case <-ctx.Done():
		return fmt.Errorf("wait for alerting: %w", ctx.Err())
	}
}
