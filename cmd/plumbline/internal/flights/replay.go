package flights

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Kind says what an event is.
type Kind int

// The kinds, in the order in which they follow each other within one minute.
const (
	KindTraining Kind = iota // a prediction of stage training
	KindDeployment
	KindPrediction
	KindLabel
	kinds
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"training", "deployment", "prediction", "label"}[k]
}

// The topics.
const (
	TopicPredictions = "predictions"
	TopicLabels      = "labels"
	TopicDeployments = "deployments"
)

// Event is one Kafka record to produce.
type Event struct {
	Kind  Kind
	Topic string
	// Key is the prediction id; the model for a deployment.
	Key []byte
	// Value is the JSON of the event. Both slices belong to the caller.
	Value []byte
	// At is the moved time at which the event became known: the record's
	// timestamp. A prediction's event time is the same; a label's too.
	At time.Time
}

// milesToMetres is the unit the faulty pipeline mistakes for miles.
const milesToMetres = 1609.344

// version is one deployed build of the model.
type version struct {
	name, pipeline string
	deploy         plumbline.DeployHash
	commit         string
	from           minute // original clock
}

// The two versions served.
const (
	versionGood = iota
	versionFaulty
	versions
)

// Replay yields the events of one run in the order of At. It is not safe for
// concurrent use, except for its methods that only read: Oracle, Burn and the
// facts.
type Replay struct {
	cfg      Config
	data     *Data
	model    *Model
	dataset  string // hash of the training set
	versions [versions]version
	affected []bool // by origin
	share    float64

	start, fault, cut minute        // original clock
	shift             time.Duration // from original to moved time
	lo, hi            int           // replayed flights
	landings          []int32       // replayed flights by landing
	training          []int32       // flights sent as training events

	enc                              encoder
	nextTraining, nextDeploy, nextIn int
	nextLanding                      int
}

// trainingLead is how long before the backfill the training job scored its
// set. Training events carry that time, not the flights', so that the reference
// is one hour of rollups and no retention reaches it.
const trainingLead = time.Hour

// NewReplay trains the model and prepares a run; the first call of Next yields
// its first event.
func NewReplay(data *Data, cfg Config) (*Replay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	model, err := Train(data, cfg.Training)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	r := &Replay{cfg: cfg, data: data, model: model, cut: minuteOf(cfg.Cut)}
	r.start = r.cut - minutesOf(cfg.Backfill)
	r.fault = r.cut - minutesOf(cfg.Fault)
	r.shift = cfg.Now.Truncate(time.Minute).Sub(cfg.Cut)
	r.lo, r.hi = data.between(r.start+1, 1<<31-1)
	if r.lo == r.hi || data.departure[r.lo] >= r.fault {
		return nil, fmt.Errorf("replay: no flight departs between %s and the fault", r.start.time())
	}
	r.landings = make([]int32, 0, r.hi-r.lo)
	for i := r.lo; i < r.hi; i++ {
		r.landings = append(r.landings, int32(i))
	}
	slices.SortStableFunc(r.landings, func(a, b int32) int {
		return cmp.Compare(data.landing(int(a)), data.landing(int(b)))
	})
	lo, hi := data.between(minuteOf(cfg.Training.From), minuteOf(cfg.Training.To))
	for i := lo; i < hi; i += cfg.TrainingEvery {
		r.training = append(r.training, int32(i))
	}
	r.affected, r.share = busiest(data, lo, hi, cfg.AffectedShare)
	r.dataset = hashFlights(data, lo, hi)
	r.versions = [versions]version{
		{name: "v1", pipeline: "flight-features-1", from: r.start},
		{name: "v2", pipeline: "flight-features-2", from: r.fault},
	}
	for i := range r.versions {
		v := &r.versions[i]
		v.commit = model.hash(v.pipeline)
		v.deploy = plumbline.DeployHash(v.commit[:12])
	}
	r.enc.model = string(cfg.Model)
	return r, nil
}

// busiest marks the origins that carry at least the given share of the flights
// lo to hi, the busiest first, and returns the share they carry.
func busiest(data *Data, lo, hi int, share float64) ([]bool, float64) {
	counts := make([]int, data.Airports())
	for _, o := range data.origin[lo:hi] {
		counts[o]++
	}
	order := make([]airport, len(counts))
	for i := range order {
		order[i] = airport(i)
	}
	slices.SortFunc(order, func(a, b airport) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(data.airports[a], data.airports[b]))
	})
	marked := make([]bool, len(counts))
	var carried int
	for _, o := range order {
		if float64(carried) >= share*float64(hi-lo) {
			break
		}
		marked[o] = true
		carried += counts[o]
	}
	return marked, float64(carried) / float64(hi-lo)
}

// Next returns the next event in the order of At, and false after the last.
// Events with At after Config.Now are the live ones: the caller waits for them.
func (r *Replay) Next() (Event, bool) {
	if r.nextTraining < len(r.training) {
		r.nextTraining++
		return r.trainingEvent(r.nextTraining - 1), true
	}
	const never = minute(1<<31 - 1)
	deploy, departure, landing := never, never, never
	if r.nextDeploy < len(r.versions) {
		deploy = r.versions[r.nextDeploy].from
	}
	if r.lo+r.nextIn < r.hi {
		departure = r.data.departure[r.lo+r.nextIn]
	}
	if r.nextLanding < len(r.landings) {
		landing = r.data.landing(int(r.landings[r.nextLanding]))
	}
	switch {
	case deploy != never && deploy <= departure && deploy <= landing:
		r.nextDeploy++
		return r.deploymentEvent(r.nextDeploy - 1), true
	case departure != never && departure <= landing:
		r.nextIn++
		return r.predictionEvent(r.lo + r.nextIn - 1), true
	case landing != never:
		r.nextLanding++
		return r.labelEvent(int(r.landings[r.nextLanding-1])), true
	}
	return Event{}, false
}

// moved turns a time of the flights' clock into the run's.
func (r *Replay) moved(m minute) time.Time { return m.time().Add(r.shift) }

// original turns a time of the run into the last whole minute of the flights'
// clock that is not after it.
func (r *Replay) original(t time.Time) minute { return minuteOf(t.Add(-r.shift)) }

// serving returns which version answers for flight i.
func (r *Replay) serving(i int) int {
	if r.data.departure[i] >= r.fault {
		return versionFaulty
	}
	return versionGood
}

// served returns the features as the serving pipeline sends them.
func (r *Replay) served(i int) features {
	f := r.data.features(i)
	if r.serving(i) == versionFaulty && r.affected[f.origin] {
		f.distance *= milesToMetres
	}
	return f
}

// trainedAt spreads the training events over the hour before the backfill.
func (r *Replay) trainedAt(k int) time.Time {
	into := time.Duration(k) * trainingLead / time.Duration(len(r.training))
	return r.moved(r.start).Add(into - trainingLead).Truncate(time.Second)
}

func (r *Replay) trainingEvent(k int) Event {
	i := int(r.training[k])
	f := r.data.features(i)
	at := r.trainedAt(k)
	key, value := r.enc.prediction(prediction{
		prefix: "train-", row: r.data.row[i], deploy: r.versions[versionGood].deploy, stage: plumbline.StageTraining,
		at: at, features: f, miles: r.data.distance[i], score: r.model.score(f),
		origin: r.data.airports[f.origin], destination: r.data.airports[f.destination],
	})
	return Event{Kind: KindTraining, Topic: TopicPredictions, Key: key, Value: value, At: at}
}

func (r *Replay) predictionEvent(i int) Event {
	f := r.served(i)
	at := r.moved(r.data.departure[i])
	key, value := r.enc.prediction(prediction{
		prefix: "flight-", row: r.data.row[i], deploy: r.versions[r.serving(i)].deploy, stage: plumbline.StageProduction,
		at: at, features: f, miles: r.data.distance[i], score: r.model.score(f),
		origin: r.data.airports[f.origin], destination: r.data.airports[f.destination],
	})
	return Event{Kind: KindPrediction, Topic: TopicPredictions, Key: key, Value: value, At: at}
}

func (r *Replay) labelEvent(i int) Event {
	at := r.moved(r.data.landing(i))
	key, value := r.enc.label("flight-", r.data.row[i], at, r.data.late(i))
	return Event{Kind: KindLabel, Topic: TopicLabels, Key: key, Value: value, At: at}
}

func (r *Replay) deploymentEvent(k int) Event {
	at := r.moved(r.versions[k].from)
	key, value := r.enc.deployment(r.versions[k], r.dataset, at)
	return Event{Kind: KindDeployment, Topic: TopicDeployments, Key: key, Value: value, At: at}
}
