package decode

import "bytes"

// maxMembers bounds the members of an ensemble that one event tells of.
const maxMembers = 64

const (
	votesHint     = "send votes as a list of at most 64 classes, one a member of the ensemble"
	scoresHint    = "send scores as a list of at most 64 numbers, one a member of the ensemble"
	explainedHint = "send true or false"
)

// ensemble is what the members of an ensemble answered to one request. It is
// kept for as long as the event is read; of it only the disagreement is stored.
type ensemble struct {
	votes  [][]byte // views
	scores []float64
	digits []byte // of votes that are numbers
}

func (m *ensemble) reset() { m.votes, m.scores, m.digits = m.votes[:0], m.scores[:0], m.digits[:0] }

// number adds a vote for a class that is a number: 1, 1.0 and 1e0 are one.
func (m *ensemble) number(v float64) {
	from := len(m.digits)
	m.digits = className(m.digits, v)
	m.votes = append(m.votes, m.digits[from:])
}

// disagreement returns how far the members are from one answer, and false with
// fewer than two of them: of votes their variation ratio, else of scores their
// variance.
func (m *ensemble) disagreement() (float64, bool) {
	switch {
	case len(m.votes) >= 2:
		return variationRatio(m.votes), true
	case len(m.scores) >= 2:
		return variance(m.scores), true
	}
	return 0, false
}

// variationRatio is the share of the members that voted for another class than
// the most frequent one (Freeman 1965, Elementary Applied Statistics; as a
// measure of an ensemble's doubt Gal 2016, Uncertainty in Deep Learning, section
// 3.3.1): 0 if all agree, at most 1 - 1/n of n members.
func variationRatio(votes [][]byte) float64 {
	most := 0
	for i, vote := range votes {
		if most >= len(votes)-i { // the rest cannot be more
			break
		}
		same := 0
		for _, other := range votes[i:] {
			if bytes.Equal(vote, other) {
				same++
			}
		}
		most = max(most, same)
	}
	return float64(len(votes)-most) / float64(len(votes))
}

// variance is the mean squared distance of the members' scores from their mean:
// the ensemble's variance of Lakshminarayanan, Pritzel and Blundell 2017, Simple
// and Scalable Predictive Uncertainty Estimation, section 2.4, for members that
// give no variance of their own.
func variance(scores []float64) float64 {
	n := float64(len(scores))
	var sum float64
	for _, s := range scores {
		sum += s
	}
	mean := sum / n
	var squares float64
	for _, s := range scores {
		d := s - mean
		squares += float64(d * d) // rounded: a fused sum would differ by machine
	}
	return squares / n
}

// doubt fills in what the event says of its ensemble and of its explanation in
// another way than by number: disagreement beats votes and those beat scores,
// explained beats an explanation.
func (e *prediction) doubt(m *ensemble) {
	if !e.hasDisagreement {
		e.disagreement, e.hasDisagreement = m.disagreement()
	}
	if !e.hasExplained && e.hasExplanation {
		e.explained, e.hasExplained = e.explanation, true
	}
}

// share is a truth as the number that is counted.
func share(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// votes reads a list of classes. null is a member that did not answer.
func (p *JSONPredictions) votes() *Error {
	return p.members(votesHint, func() *Error {
		class, v, number, err := p.scan.class()
		switch {
		case err != nil:
			return err
		case number:
			p.ensemble.number(v)
		case class != nil:
			p.ensemble.votes = append(p.ensemble.votes, class)
		}
		return nil
	})
}

// scores reads a list of numbers. null is a member that did not answer.
func (p *JSONPredictions) scores() *Error {
	return p.members(scoresHint, func() *Error {
		v, ok, err := p.scan.measured()
		if err == nil && ok {
			p.ensemble.scores = append(p.ensemble.scores, v)
		}
		return err
	})
}

// members reads a list, null for none.
func (p *JSONPredictions) members(hint string, member func() *Error) *Error {
	s := &p.scan
	switch s.space() {
	case '[':
	case 'n':
		return s.word("null")
	default:
		return s.mistyped(hint)
	}
	more := s.open(']')
	for n := 0; more; n++ {
		if n >= maxMembers {
			return bad(TooManyFeatures, hint)
		}
		err := member()
		if err == nil {
			more, err = s.more(']')
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// truth reads a boolean; null counts as absent.
func (s *scanner) truth() (v float64, ok bool, err *Error) {
	switch s.space() {
	case 't':
		return 1, true, s.word("true")
	case 'f':
		return 0, true, s.word("false")
	case 'n':
		return 0, false, s.word("null")
	}
	return 0, false, s.mistyped(explainedHint)
}

// explanation reads past an explanation of any type, which is stored nowhere,
// and says whether there is anything in it.
func (s *scanner) explanation() (v float64, err *Error) {
	s.space()
	from := s.i
	if err = s.skip(0); err != nil {
		return 0, err
	}
	return share(!hollow(s.b[from:s.i])), nil
}

// hollow reports whether a JSON value holds nothing: null, false, or an empty
// text, object or array.
func hollow(value []byte) bool {
	switch value[0] {
	case 'n', 'f':
		return true
	case '"', '{', '[':
		return len(bytes.TrimSpace(value[1:len(value)-1])) == 0
	}
	return false
}
