package sample

import (
	"fmt"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// Stored shows what is stored of an event under a privacy policy. A nil Stored
// shows events as they were sent.
type Stored struct {
	policies map[plumbline.Model]privacy.Policy
	columns  *privacy.Columns
	// unshown says why hashes cannot be shown; empty if they can.
	unshown string

	row             *decode.Predictions
	label, hashed   *decode.Labels
	reading, hidden *decode.KPIs
}

// NewStored reads the keys of a configuration. Where they cannot be read hashes are
// not shown, and the reason is.
func NewStored(cfg privacy.Config) (*Stored, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Models) == 0 {
		return nil, nil
	}
	s := &Stored{
		policies: map[plumbline.Model]privacy.Policy{}, row: decode.NewPredictions(decode.Limits{}),
		label: decode.NewLabels(decode.Limits{}), hashed: decode.NewLabels(decode.Limits{}),
		reading: decode.NewKPIs(decode.Limits{}), hidden: decode.NewKPIs(decode.Limits{}),
	}
	for _, p := range cfg.Models {
		s.policies[p.Model] = p
	}
	filter, err := privacy.New(cfg)
	if err != nil {
		s.unshown = err.Error()
		filter = privacy.Unkeyed(cfg)
	}
	s.columns = filter.NewColumns()
	return s, nil
}

// policy returns the policy of a model, if it has one.
func (s *Stored) policy(model []byte) (p privacy.Policy, ok bool) {
	if s == nil {
		return p, false
	}
	p, ok = s.policies[plumbline.Model(model)]
	return p, ok
}

// describe writes out the row that was decoded last.
func (s *Stored) describe(d decoder) []Field {
	switch d := d.(type) {
	case predictions:
		return s.prediction(d.Predictions, d.Len()-1)
	case labels:
		return s.ofLabel(d.Labels, d.Len()-1)
	case kpis:
		return s.ofKPI(d.KPIs, d.Len()-1)
	}
	return d.describe()
}

func (s *Stored) prediction(p *decode.Predictions, i int) []Field {
	sent := predictions{&decode.JSONPredictions{Predictions: p}}.row(i)
	policy, ok := s.policy(p.Model.At(i))
	if !ok {
		return sent
	}
	s.row.Reset()
	s.row.Pick(p, i)
	rules := rulesOf(policy, s.row)
	s.columns.Predictions(s.row)
	stored := predictions{&decode.JSONPredictions{Predictions: s.row}}.row(0)
	values := map[string]string{}
	for _, f := range stored {
		values[f.Name] = f.Value
	}
	var fields []Field
	for _, f := range sent {
		fields = append(fields, Field{f.Name, s.become(f.Value, values[f.Name], rules[f.Name])})
		delete(values, f.Name)
	}
	for _, f := range stored {
		if _, more := values[f.Name]; more {
			fields = append(fields, Field{f.Name, f.Value + ", hashed under an older key that is still in use"})
		}
	}
	return append(fields, s.rawRow(policy)...)
}

// rulesOf returns the rules of a row's fields, by the name under which they are
// shown.
func rulesOf(policy privacy.Policy, p *decode.Predictions) map[string]privacy.Rule {
	rules := map[string]privacy.Rule{"prediction_id": {Action: policy.PredictionID}}
	for _, list := range []decode.List{p.Numbers, p.Categories, p.Nulls} {
		for _, key := range list.Keys {
			name := p.Features.Value(key)
			rules[feature(name)] = policy.FeatureRule(string(name))
		}
	}
	for _, key := range p.Segments.Keys {
		name := string(p.SegmentKeys.Value(key))
		rules[plain("segments."+name)] = policy.SegmentRule(name)
	}
	return rules
}

// become says what a rule makes of a value.
func (s *Stored) become(sent, stored string, rule privacy.Rule) string {
	switch {
	case rule.Action == privacy.Drop:
		return "dropped"
	case sent == "null":
		return sent
	case rule.Action == privacy.Hash && s.unshown != "":
		return s.noHash()
	case rule.Action == privacy.Hash:
		return stored + ", hashed"
	case rule.Action == privacy.Truncate && strings.HasPrefix(sent, "numeric "):
		return fmt.Sprintf("%s, cut down to a multiple of %g", stored, rule.To)
	case rule.Action == privacy.Truncate:
		return fmt.Sprintf("%s, cut to %g characters", stored, rule.To)
	}
	return stored
}

func (s *Stored) noHash() string { return "hashed; the hash is not shown: " + s.unshown }

// rawRow says whether the row that was protected last is stored, where the policy
// leaves some out.
func (s *Stored) rawRow(policy privacy.Policy) []Field {
	rate := float64(policy.RawRate)
	if rate == 0 || rate == 1 {
		return nil
	}
	text := fmt.Sprintf("not stored, only counted in rollups: raw_rate is %g", rate)
	if rows, _ := s.columns.Sample(s.row); len(rows) > 0 {
		text = fmt.Sprintf("stored with %g times its weight: raw_rate is %g", 1/rate, rate)
	}
	if policy.PredictionID == privacy.Hash && s.unshown != "" {
		text = fmt.Sprintf("stored or not, as the hash of prediction_id decides: raw_rate is %g", rate)
	}
	return []Field{{"raw row", text}}
}

func (s *Stored) ofLabel(l *decode.Labels, i int) []Field {
	sent := labels{&decode.JSONLabels{Labels: l}}.row(i)
	policy, ok := s.policy(l.Model.At(i))
	if !ok || policy.PredictionID != privacy.Hash {
		return sent
	}
	if s.unshown != "" {
		sent[0].Value = s.noHash()
		return sent
	}
	s.label.Reset()
	s.label.Pick(l, i)
	stored := s.columns.Labels(s.label, s.hashed)
	var fields []Field
	for k := range stored.Len() {
		text := quoted(stored.ID.At(k)) + ", hashed"
		if k > 0 {
			text += " under an older key that is still in use, in a row of its own"
		}
		fields = append(fields, Field{"prediction_id", text})
	}
	return append(fields, sent[1:]...)
}

func (s *Stored) ofKPI(k *decode.KPIs, i int) []Field {
	sent := kpis{&decode.JSONKPIs{KPIs: k}}.row(i)
	if _, ok := s.policy(k.Model.At(i)); !ok || len(k.Segment.At(i)) == 0 {
		return sent
	}
	s.reading.Reset()
	s.reading.PickAs(k, i, k.Segment.At(i))
	stored := s.columns.KPIs(s.reading, s.hidden)
	if text := quoted(stored.Segment.At(0)); text != quoted(k.Segment.At(i)) {
		sent[len(sent)-1].Value = text + ", by the rules of its segments"
		if s.unshown != "" {
			sent[len(sent)-1].Value += "; hashes are not shown: " + s.unshown
		}
	}
	return sent
}
