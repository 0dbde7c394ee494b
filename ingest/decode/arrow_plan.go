package decode

import (
	"fmt"
	"strings"
)

// arrowRole is what a column of a stream says about an event.
type arrowRole uint8

const (
	roleUnknown arrowRole = iota
	roleID
	roleModel
	roleDeploy
	roleStage
	roleTS
	roleScore
	rolePredicted
	roleLatency
	roleStatus
	roleWeight
	rolePropensity
	roleDisagreement
	roleExplained
	roleName // of a KPI, and its value and segment
	roleValue
	roleOf
	roleLabel
	roleVersion // the texts of a deployment, in the order of deployment.texts
	roleBy
	roleCommit
	roleDatasetHash
	roleFeatureJob
	roleNote
	roleCount // the roles from here on may have many columns

	roleFeature
	roleSegment
	roleVote  // the class that one member of an ensemble voted for
	roleGrade // the score that one gave
	roleKey   // the keys of a map of features or segments
)

// arrowRoleOf returns the role of a column by its name, for a kind of events.
func arrowRoleOf(kind Kind, name string) arrowRole {
	common := map[string]arrowRole{"model": roleModel, "ts": roleTS}
	own := map[Kind]map[string]arrowRole{
		KindPredictions: {
			"prediction_id": roleID, "deploy_hash": roleDeploy, "stage": roleStage, "score": roleScore,
			"predicted": rolePredicted, "latency_ms": roleLatency, "status": roleStatus, "weight": roleWeight,
			"propensity": rolePropensity, "disagreement": roleDisagreement, "explained": roleExplained,
		},
		KindLabels: {"prediction_id": roleID, "label": roleLabel},
		KindDeployments: {
			"deploy_hash": roleDeploy, "stage": roleStage, "version": roleVersion, "by": roleBy, "commit": roleCommit,
			"dataset_hash": roleDatasetHash, "feature_job": roleFeatureJob, "note": roleNote,
		},
		KindKPIs: {"name": roleName, "value": roleValue, "segment": roleOf},
	}
	if role := common[name]; role != roleUnknown {
		return role
	}
	return own[kind][name]
}

// arrowColumn is a column that is read.
type arrowColumn struct {
	role arrowRole
	// name is the feature's or segment's, else the column's.
	name string
	// kind is that of the values, also of a dictionary's.
	kind arrowKind
	// keys is the place of the column of the keys, -1 if this is not the values
	// of a map.
	keys int
}

// field is the column as an Error names it.
func (c *arrowColumn) field() string {
	switch c.role {
	case roleFeature:
		return "features." + c.name
	case roleSegment:
		return "segments." + c.name
	case roleVote:
		return "votes." + c.name
	case roleGrade:
		return "scores." + c.name
	}
	return c.name
}

// arrowPlan is a schema, compiled once: what is read, and what it means.
type arrowPlan struct {
	schema       []byte // the bytes of its message
	fields       []arrowField
	dictionaries []arrowDictionary
	columns      []arrowColumn
	// one is the column of each role that has one, -1 if it has none.
	one [roleCount]int
	// features and segments are the plain columns of either; maps are the values
	// of maps of either. numbers and classes are the features that hold these.
	features, segments, maps []int
	numbers, classes         []int
	// votes and grades are the columns of an ensemble's members.
	votes, grades []int
	unknown       int
	// perSecond is the unit of the event time, if that is a timestamp.
	perSecond int64
}

// planner compiles a schema.
type planner struct {
	*arrowPlan
	kind   Kind
	source Source
	limits Limits
	seen   map[string]bool
}

// given reports whether the source says a field for every event, so that no
// column is looked at.
func (p *planner) given(role arrowRole) bool {
	switch role {
	case roleModel:
		return p.source.Model != ""
	case roleDeploy:
		return p.source.Deploy != ""
	case roleStage:
		return p.source.Stage != ""
	}
	return false
}

func compileArrow(fields []arrowField, dictionaries []arrowDictionary, kind Kind, source Source, limits Limits) (*arrowPlan, *Error) {
	p := planner{&arrowPlan{fields: fields, dictionaries: dictionaries}, kind, source, limits, map[string]bool{}}
	for i := range p.one {
		p.one[i] = -1
	}
	for i := range fields {
		if err := p.top(&fields[i]); err != nil {
			return nil, err.at(short(fields[i].name))
		}
	}
	if len(p.features) > limits.MaxFeatures {
		return nil, &Error{TooManyFeatures, "features", "send fewer features, or raise max_features"}
	}
	if len(p.segments) > maxSegments {
		return nil, &Error{TooManyFeatures, "segments", "send at most 64 segments"}
	}
	if len(p.votes) > maxMembers || len(p.grades) > maxMembers {
		return nil, bad(TooManyFeatures, "send columns of at most 64 members of an ensemble")
	}
	return p.arrowPlan, p.required()
}

// required refuses a schema that lacks a column which every event needs.
func (p *planner) required() *Error {
	missing := func(role arrowRole, name, hint string) *Error {
		if p.one[role] >= 0 || p.given(role) {
			return nil
		}
		return &Error{MissingField, name, hint}
	}
	if p.kind == KindPredictions || p.kind == KindLabels {
		if err := missing(roleID, "prediction_id", "add a column prediction_id of text"); err != nil {
			return err
		}
	}
	if err := missing(roleModel, "model", "add a column model, or set model in the topic's entry of ingest.sources"); err != nil {
		return err
	}
	if p.kind == KindPredictions || p.kind == KindDeployments {
		if err := missing(roleDeploy, "deploy_hash", "add a column deploy_hash, or set deploy_hash in the topic's entry of ingest.sources"); err != nil {
			return err
		}
	}
	if p.kind == KindLabels {
		if err := missing(roleLabel, "label", "add a column label with the true class or number"); err != nil {
			return err
		}
	}
	if p.kind == KindKPIs {
		if err := missing(roleName, "name", "add a column name of text"); err != nil {
			return err
		}
		if err := missing(roleValue, "value", "add a column value of numbers"); err != nil {
			return err
		}
	}
	return missing(roleTS, "ts", arrowTimeHint)
}

const arrowTimeHint = "send a column ts of type timestamp with a time zone, or of int64 Unix milliseconds"

// top takes a top-level column.
func (p *planner) top(f *arrowField) *Error {
	if p.kind == KindPredictions {
		if name, ok := strings.CutPrefix(f.name, "features."); ok {
			return p.many(f, roleFeature, name)
		}
		if name, ok := strings.CutPrefix(f.name, "segments."); ok {
			return p.many(f, roleSegment, name)
		}
		if name, ok := strings.CutPrefix(f.name, "votes."); ok {
			return p.many(f, roleVote, name)
		}
		if name, ok := strings.CutPrefix(f.name, "scores."); ok {
			return p.many(f, roleGrade, name)
		}
		switch f.name {
		case "features":
			return p.group(f, roleFeature)
		case "segments":
			return p.group(f, roleSegment)
		case "votes":
			return p.group(f, roleVote)
		case "scores":
			return p.group(f, roleGrade)
		}
	}
	role := arrowRoleOf(p.kind, f.name)
	if role == roleUnknown {
		p.unknown++
		return nil
	}
	if p.given(role) {
		return nil
	}
	if p.one[role] >= 0 {
		return bad(DuplicateKey, "send each column once")
	}
	if err := p.fits(f, role); err != nil {
		return err
	}
	if role == roleTS {
		p.perSecond = f.perSecond
	}
	p.one[role] = p.take(f, arrowColumn{role: role, name: f.name, keys: -1})
	return nil
}

// valueKind returns the kind of a field's values, of a dictionary's if it has one.
func (p *planner) valueKind(f *arrowField) arrowKind {
	if f.dictionary < 0 {
		return f.kind
	}
	if kind := p.dictionaries[f.dictionary].values.kind; kind.text() {
		return kind
	}
	return arrowOpaque // dictionaries of other values than text are not read
}

// take makes a field a column.
func (p *planner) take(f *arrowField, c arrowColumn) int {
	c.kind = p.valueKind(f)
	if f.dictionary >= 0 {
		p.dictionaries[f.dictionary].used = true
	}
	f.column, f.read = len(p.columns), true
	p.columns = append(p.columns, c)
	return f.column
}

// fits refuses a column whose type cannot say what its role says.
func (p *planner) fits(f *arrowField, role arrowRole) *Error {
	kind := p.valueKind(f)
	var ok bool
	var want string
	switch role {
	case roleTS:
		ok, want = kind == arrowInt64 || kind == arrowTime && !f.naive, arrowTimeHint
	case roleScore, roleLatency, roleWeight, rolePropensity, roleDisagreement, roleValue, roleGrade:
		ok, want = kind.number(), "send a column of numbers"
	case roleExplained:
		ok, want = kind == arrowBool, "send a column of bool"
	case rolePredicted, roleLabel, roleFeature, roleSegment, roleVote:
		ok, want = kind.number() || kind.text() || kind == arrowBool, "send a column of numbers, text or bool"
	default:
		ok, want = kind.text(), "send a column of text"
	}
	if ok || kind == arrowNull {
		return nil
	}
	reason := WrongType
	if len(f.children) > 0 || kind == arrowStruct || kind == arrowMap {
		reason = TooNested
	}
	return bad(reason, want+"; this one is "+f.typeName())
}

// many takes a column of a feature or segment.
func (p *planner) many(f *arrowField, role arrowRole, name string) *Error {
	c := arrowColumn{role: role, name: name, keys: -1}
	switch {
	case name == "" || len(name) > maxName:
		return bad(BadValue, "a feature's or segment's name has 1 to 256 bytes")
	case !clean([]byte(name)):
		return bad(BadText, "a feature's or segment's name is UTF-8 without NUL")
	case p.seen[c.field()]:
		return bad(DuplicateKey, "send each feature and segment once").at(short(c.field()))
	}
	p.seen[c.field()] = true
	if err := p.fits(f, role); err != nil {
		return err.at(short(c.field()))
	}
	at := p.take(f, c)
	switch kind := p.columns[at].kind; {
	case role == roleSegment:
		p.segments = append(p.segments, at)
		return nil
	case role == roleVote:
		p.votes = append(p.votes, at)
		return nil
	case role == roleGrade:
		p.grades = append(p.grades, at)
		return nil
	case kind.number():
		p.numbers = append(p.numbers, at)
	case kind != arrowNull:
		p.classes = append(p.classes, at)
	}
	p.features = append(p.features, at)
	return nil
}

// group takes a column that holds all features or segments.
func (p *planner) group(f *arrowField, role arrowRole) *Error {
	if p.seen[f.name] {
		return bad(DuplicateKey, "send each column once")
	}
	p.seen[f.name], f.read = true, true
	switch {
	case f.kind == arrowStruct && f.dictionary < 0:
		for i := range f.children {
			if err := p.many(&f.children[i], role, f.children[i].name); err != nil {
				return err
			}
		}
		return nil
	case role == roleVote || role == roleGrade:
		return bad(WrongType, fmt.Sprintf("send columns named %s.<member>, or one struct; this one is %s", f.name, f.typeName()))
	case f.kind == arrowMap && len(f.children) == 1 && len(f.children[0].children) == 2:
		key, value := &f.children[0].children[0], &f.children[0].children[1]
		if !p.valueKind(key).text() {
			return bad(WrongType, "the keys of the map are no text")
		}
		if err := p.fits(value, role); err != nil {
			return err
		}
		keys := p.take(key, arrowColumn{role: roleKey, name: f.name, keys: -1})
		p.maps = append(p.maps, p.take(value, arrowColumn{role: role, name: f.name, keys: keys}))
		f.children[0].read = true
		return nil
	}
	return bad(WrongType, fmt.Sprintf("send columns named %s.<name>, one struct, or one map from text; this one is %s", f.name, f.typeName()))
}

// short cuts a name that a producer chose to what an Error repeats.
func short(name string) string {
	if len(name) > maxName {
		name = name[:maxName]
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}
