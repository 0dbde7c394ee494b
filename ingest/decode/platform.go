package decode

import (
	"errors"
	"fmt"
	"slices"
)

// platform is what the decoders of serving platforms' logs share: a record is a
// request, its answer or both, with a row for each prediction.
type platform struct {
	several
	tabular
	sayings
	// rowID names the member of a row that is its own identifier, if it is there.
	rowID string
}

func newPlatform(s Source, into Columns) platform {
	d := platform{several: newSeveral(into), sayings: s.sayings()}
	d.tabular = newTabular(newTree(d.limits), s)
	return d
}

// rows appends the n rows that have been found. base is what they share, and
// alone writes one row as a record of its own.
func (d *platform) rows(rec Record, base prediction, id []byte, n int, alone func(int) []byte) *Error {
	p := d.into.Predictions
	base.model, base.deploy, base.stage = orElse(d.model, base.model), orElse(d.deploy, base.deploy), orElse(d.stage, base.stage)
	if !base.hasWeight {
		base.weight, base.hasWeight = d.weight, true
	}
	for i := range n {
		e := base
		m := p.begin()
		// Both are read, so that both move on to the next row.
		refused := d.features(p, &e)
		if refused != nil && len(base.status) > 0 {
			// Inputs that nobody can read may be why the request failed. It counts
			// as a failed one, without them.
			p.rollback(m)
			e, refused = base, nil
			e.unknown++
		}
		if err := d.answer(&e); refused == nil {
			refused = err
		}
		if refused == nil {
			e.id, refused = d.identify(id, i, n)
		}
		if refused == nil {
			refused = p.end(&e, rec)
		}
		if refused == nil {
			d.taken++
			continue
		}
		p.rollback(m)
		d.refuse(rec, i, refused, alone)
	}
	return nil
}

// identify returns the identifier of the row that was read last.
func (d *platform) identify(id []byte, i, n int) ([]byte, *Error) {
	if d.rowID != "" {
		for _, row := range [...]ref{d.in.now, d.out.now} {
			own, err := d.t.label(d.t.get(row, d.rowID))
			if err != nil || len(own) > 0 {
				return own, err
			}
		}
	}
	return d.numbered(id, i, n)
}

// tabularFormats are the shapes that read the options in Tabular.
func tabularFormats() []Format {
	return []Format{FormatSageMaker, FormatSageMakerTruth, FormatMLflow, FormatAzureML}
}

// foreign returns the options that the source's format does not read.
func (s Source) foreign() error {
	var errs []error
	refuse := func(set bool, options string, formats ...Format) {
		if set && !slices.Contains(formats, s.Format) {
			errs = append(errs, fmt.Errorf("%s: %s has no such option; leave it out", options, s.Format))
		}
	}
	tabular := tabularFormats()
	logged := append(tabularFormats(), FormatKServe, FormatSeldon)
	rest := s.Tabular
	rest.Classes = false
	refuse(!rest.zero(), "nested, output, score, predicted, answers or sampled", tabular...)
	refuse(s.Classes, "classes", logged...)
	refuse(len(s.FeatureNames) > 0, "feature_names", logged...)
	refuse(s.GenAI != GenAI{}, "evaluation, evaluation_label or identifier", FormatGenAI)
	refuse(s.MappingFile != "", "mapping_file", FormatMapping)
	return errors.Join(errs...)
}
