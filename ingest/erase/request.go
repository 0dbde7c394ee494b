package erase

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// Request says whose rows of a model are erased: either IDs or Feature is set.
type Request struct {
	Model plumbline.Model
	// IDs are prediction_ids as producers send them.
	IDs []string
	// EveryRow also takes ID/0, ID/1 and so on, the rows of a request that
	// carried several. They may be about several people.
	EveryRow bool
	// Feature and Value name an entity: every prediction that has this value of
	// the feature, as a text or as a number.
	Feature, Value string
	// DryRun finds and counts, and changes nothing.
	DryRun bool

	// Keys are those of the privacy policy: what was hashed under any of them is
	// found, too.
	Keys privacy.Keys
	// Policy is the model's, if it has one.
	Policy privacy.Policy
}

// Validate returns every mistake of the request.
func (r Request) Validate() error {
	var errs []error
	if r.Model == "" {
		errs = append(errs, errors.New("name the model"))
	}
	if (len(r.IDs) == 0) == (r.Feature == "") {
		errs = append(errs, errors.New("name either prediction ids or an entity, FEATURE=VALUE"))
	}
	if slices.Contains(r.IDs, "") || r.Feature != "" && r.Value == "" {
		errs = append(errs, errors.New("an empty value names nobody"))
	}
	if r.EveryRow && len(r.IDs) == 0 {
		errs = append(errs, errors.New("the rows of a request are found by its prediction id, not by an entity"))
	}
	if r.Feature != "" {
		errs = append(errs, r.searchable())
	}
	return errors.Join(errs...)
}

// searchable returns why the model's policy leaves nothing by which the entity could be
// found.
func (r Request) searchable() error {
	switch r.Policy.FeatureRule(r.Feature).Action {
	case privacy.Truncate:
		return fmt.Errorf("the privacy policy of %s truncates %s, so that several people share a value: erase by --prediction-id", r.Model, r.Feature)
	case privacy.Drop:
		if _, ok := r.Policy.Segments[r.Feature]; ok {
			return fmt.Errorf("%s is a segment by the privacy policy of %s, which drops a feature of that name, and segments are not searched: erase by --prediction-id", r.Feature, r.Model)
		}
		return fmt.Errorf("the privacy policy of %s drops %s, so no prediction can be found by it: erase by --prediction-id; what was stored before the rule is found with a configuration that leaves the rule out", r.Model, r.Feature)
	}
	return nil
}

// ParseEntity reads FEATURE=VALUE. The feature ends at the first equals sign.
func ParseEntity(text string) (feature, value string, err error) {
	feature, value, ok := strings.Cut(text, "=")
	if !ok || feature == "" || value == "" {
		return "", "", fmt.Errorf("write an entity as FEATURE=VALUE, for example customer=4711")
	}
	return feature, value, nil
}

// forms returns how an identifier may be stored: as it is, or hashed.
func (r Request) forms(id string) []string {
	return append([]string{id}, r.Keys.Hashes([]byte(id))...)
}

// maxGap is how many rows of one request in a row may be missing, because they
// were refused or belong to others, until the search for more of them ends.
const maxGap = 500

// rowForms returns how some rows of a request of several may be stored.
func (r Request) rowForms(id string, from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, r.forms(id+"/"+strconv.Itoa(n))...)
	}
	return all
}

// values returns how the entity's value may be stored as a text, and whether it
// may be as a number.
func (r Request) values() (texts []string, number float64, isNumber bool) {
	number, err := strconv.ParseFloat(r.Value, 64)
	return r.forms(r.Value), number, err == nil
}

// hashedNumber returns how a number may be stored that was hashed: as the shortest
// text that reads as it.
func (r Request) hashedNumber(number float64) []string {
	return r.Keys.Hashes(strconv.AppendFloat(nil, number, 'g', -1, 64))
}

// features returns the names under which the entity's feature may be stored.
func (r Request) features() []string {
	names := []string{r.Feature}
	for _, key := range r.Keys {
		names = append(names, r.Feature+"@"+key.ID)
	}
	return names
}
