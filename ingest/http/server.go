package ingesthttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// Prefix begins the path of every address of the package; the kind of events
// follows it.
const Prefix = "/api/v1/"

// Paths returns the paths that Handler answers.
func Paths() []string {
	var all []string
	for _, kind := range decode.Kinds() {
		all = append(all, Prefix+string(kind))
	}
	return all
}

// Dependencies are what a Server needs from others: the Kafka, topics and
// limits of ingest.
type Dependencies struct {
	// Brokers are Kafka addresses, host:port.
	Brokers []string
	// Dialer connects to them; nil connects without TLS and SASL.
	Dialer *dial.Dialer
	// Predictions, Labels, Deployments and KPIs are the usual topics of ingest: of
	// several sources that take one kind of events, theirs is meant.
	Predictions, Labels, Deployments, KPIs string
	// Sources say what every topic holds that ingest reads. What none of them takes
	// is refused.
	Sources []decode.Source
	// Limits are those of ingest.
	Limits decode.Limits
	// Registry, if set, gets the metrics.
	Registry prometheus.Registerer
	// Log, if set, is told why Kafka did not acknowledge; the sender is told
	// only that.
	Log *slog.Logger
	// Now is the clock that stamps records. Default time.Now.
	Now func() time.Time
}

// Server answers the requests. Its methods are safe for concurrent use.
type Server struct {
	cfg      Config
	limits   decode.Limits
	kinds    []kind
	tokens   tokens // empty: off
	load     *pressure
	producer *producer
	metrics  *metrics
	log      *slog.Logger
	now      func() time.Time
}

// New reads the token file, if one is configured, and connects to nothing yet.
func New(cfg Config, deps Dependencies) (*Server, error) {
	err := cfg.Validate()
	if len(deps.Brokers) == 0 || deps.Predictions == "" || deps.Labels == "" || deps.Deployments == "" || len(deps.Sources) == 0 {
		err = errors.Join(err, errors.New("brokers, topics and sources are needed"))
	}
	if err != nil {
		return nil, fmt.Errorf("HTTP ingest: %w", err)
	}
	s := &Server{
		cfg: cfg, limits: deps.Limits, log: deps.Log, now: deps.Now,
		kinds: []kind{
			kindOf(decode.KindPredictions, deps.Predictions, deps.Sources, newPredictions),
			kindOf(decode.KindLabels, deps.Labels, deps.Sources, newLabels),
			kindOf(decode.KindDeployments, deps.Deployments, deps.Sources, newDeployments),
			kindOf(decode.KindKPIs, deps.KPIs, deps.Sources, newKPIs),
		},
		load:     &pressure{maxRequests: cfg.MaxInFlight, maxBytes: cfg.MaxInFlightBytes},
		producer: &producer{brokers: deps.Brokers, dialer: deps.Dialer, timeout: cfg.ProduceTimeout, batch: cfg.MaxEvent + recordOverhead},
	}
	s.limits.MaxBytes = min(s.limits.MaxBytes, cfg.MaxEvent)
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.TokenFile != "" {
		if s.tokens, err = readTokens(cfg.TokenFile); err != nil {
			return nil, fmt.Errorf("HTTP ingest: %w", err)
		}
	}
	s.metrics, err = newMetrics(deps.Registry, s.load)
	return s, err
}

// Run keeps the connections to Kafka until ctx is done. It must end after the
// server that uses Handler.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	s.Close()
	return nil
}

// Close drops idle connections to Kafka.
func (s *Server) Close() { s.producer.close() }

// Handler answers Paths.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, k := range s.kinds {
		name := string(k.name)
		s.metrics.start(name)
		mux.HandleFunc(Prefix+name, func(w http.ResponseWriter, r *http.Request) {
			answered := s.take(w, r, k)
			s.metrics.requests.WithLabelValues(name, strconv.Itoa(answered.status)).Inc()
			s.metrics.count(name, answered.answer)
			s.write(w, answered)
		})
	}
	return mux
}

// answer is the body of every response.
type answer struct {
	// Accepted is the number of events that Kafka has acknowledged.
	Accepted int `json:"accepted"`
	// Rejected are events that were not produced, in the body's order.
	Rejected []rejection `json:"rejected"`
	// Unacknowledged are good events that may be stored or not.
	Unacknowledged []place `json:"unacknowledged,omitempty"`
	// Error says what is wrong with the request as a whole.
	Error string `json:"error,omitempty"`
}

// reply is a response before it is written.
type reply struct {
	status int
	answer
}

func (s *Server) write(w http.ResponseWriter, a *reply) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	switch a.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="plumbline"`)
	case http.StatusUnsupportedMediaType:
		h.Set("Accept-Encoding", "gzip")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(int((s.cfg.RetryAfter+time.Second-1)/time.Second)))
	}
	if a.Rejected == nil {
		a.Rejected = []rejection{}
	}
	// A sender that does not read must not keep the connection; a server
	// without deadlines is a test's.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.cfg.ReadTimeout))
	w.WriteHeader(a.status)
	if err := json.NewEncoder(w).Encode(a.answer); err != nil {
		s.log.Debug("http ingest: the sender did not read the answer", "err", err)
	}
}

// take does everything but write the response; what it holds is free again
// when it returns.
func (s *Server) take(w http.ResponseWriter, r *http.Request, k kind) *reply {
	// Also bounds what the server reads of a body that is refused unread.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.ReadTimeout))
	check, refused := s.admit(r, k)
	if refused != nil {
		return refused
	}
	h := s.load.enter()
	if h == nil {
		return s.tooMuch()
	}
	defer h.release()
	body, refused := s.read(w, r, h)
	if refused != nil {
		return refused
	}
	now := s.now()
	c, refused := check(body, h, now)
	if refused != nil {
		return refused
	}
	if len(c.records) == 0 {
		return &reply{http.StatusBadRequest, answer{Rejected: c.rejected, Error: "no event of the body is good; nothing was taken"}}
	}
	return s.produce(r.Context(), c, now)
}

// admit looks at all of a request but its body.
func (s *Server) admit(r *http.Request, k kind) (checkFunc, *reply) {
	if len(s.tokens) == 0 {
		return nil, refuse(http.StatusNotFound, "events over HTTP are off here; set http_ingest.token_file to let in those who hold a token")
	}
	if r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "send events with POST")
	}
	if !s.tokens.allow(r.Header.Get("Authorization")) {
		return nil, refuse(http.StatusUnauthorized, "send a known token: Authorization: Bearer ...")
	}
	check, refused := s.format(k, r.Header.Get("Content-Type"))
	if refused != nil {
		return nil, refused
	}
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity", "gzip":
		return check, nil
	}
	return nil, refuse(http.StatusUnsupportedMediaType, "send the body plain or with Content-Encoding: gzip")
}

// produce sends the good events to Kafka and says what became of each. A sender
// that has gone does not end it: half a request would be harder to repeat.
func (s *Server) produce(ctx context.Context, c checked, now time.Time) *reply {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ProduceTimeout)
	defer cancel()
	a := answer{Rejected: c.rejected}
	var cause error
	for i, err := range s.producer.produce(ctx, c.topic, c.records, now) {
		switch places := c.records[i].places; {
		case err == nil:
			a.Accepted += len(places)
		case errors.Is(err, kafka.MessageSizeTooLarge):
			for _, at := range places {
				a.Rejected = append(a.Rejected, newRejection(at, &decode.Error{Reason: decode.TooLarge,
					Hint: fmt.Sprintf("the topic takes no record of %d bytes; send less, or raise its max.message.bytes", len(c.records[i].value))}))
			}
		default:
			a.Unacknowledged = append(a.Unacknowledged, places...)
			if cause == nil || errors.Is(cause, errNotSent) {
				cause = err
			}
		}
	}
	slices.SortFunc(a.Rejected, byEvent)
	switch {
	case cause != nil:
		s.log.Warn("http ingest: events were not acknowledged", "topic", c.topic, "events", len(a.Unacknowledged), "err", cause)
		a.Error = fmt.Sprintf("Kafka has not acknowledged %d events (%s); they may be stored or not: send those again after the seconds of Retry-After", len(a.Unacknowledged), public(cause))
		return &reply{http.StatusServiceUnavailable, a}
	case a.Accepted == 0:
		a.Error = "no event of the body is good; nothing was taken"
		return &reply{http.StatusBadRequest, a}
	}
	return &reply{http.StatusAccepted, a}
}

// public is what a sender may know of an error: Kafka's word for it, and no
// addresses.
func public(err error) string {
	var known kafka.Error
	if errors.As(err, &known) {
		return strings.ToLower(known.Title())
	}
	return "it cannot be reached, or did not answer in time"
}
