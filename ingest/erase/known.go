package erase

import (
	"context"
	_ "embed" // the SQL text
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/storage"
)

//go:embed sql/features.sql
var featuresSQL string

// maxKnown is how many names an UnknownError lists.
const maxKnown = 20

// UnknownError says that nothing is stored of a model, or of a feature of it: its name
// is misspelt, or it is not what persons are found by.
type UnknownError struct {
	Model plumbline.Model
	// Feature is empty where the model is unknown.
	Feature string
	// Segment says that it is the name of a segment.
	Segment bool
	// Known are the names that something is stored of, sorted.
	Known []string
}

func (e UnknownError) Error() string {
	what := fmt.Sprintf("nothing is stored of a model %q", string(e.Model))
	if e.Feature != "" {
		what = fmt.Sprintf("no event of model %s has a feature %q", e.Model, e.Feature)
	}
	if e.Segment {
		return what + ": it is a segment, and segments are not searched; erase by --prediction-id"
	}
	if len(e.Known) == 0 {
		return what + ", nor of any other"
	}
	var names []string
	for _, name := range e.Known[:min(len(e.Known), maxKnown)] {
		names = append(names, fmt.Sprintf("%q", name))
	}
	what += "; known ones are " + strings.Join(names, ", ")
	if more := len(e.Known) - len(names); more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	return what
}

// checkKnown returns an UnknownError where nothing was ever stored of the model, or of
// the feature. What was erased, or has gone with raw retention, is still known.
func (r Request) checkKnown(ctx context.Context, db *storage.DB) error {
	models, err := r.names(ctx, db, "SELECT DISTINCT model FROM /*table*/", plumbline.TablePredictions, plumbline.TableLabels, plumbline.TableSeriesHour, plumbline.TableErasures)
	if err != nil {
		return fmt.Errorf("read which models are stored: %w", err)
	}
	if !slices.Contains(models, string(r.Model)) {
		return UnknownError{Model: r.Model, Known: models}
	}
	if r.Feature == "" {
		return nil
	}
	features, err := r.names(ctx, db, "SELECT DISTINCT substring(series, 9) FROM /*table*/ WHERE model = {model:String} AND startsWith(series, 'feature:')",
		plumbline.TableSeriesHour, plumbline.TableCategories)
	if err != nil {
		return fmt.Errorf("read which features are counted: %w", err)
	}
	raw, err := r.names(ctx, db, featuresSQL, plumbline.TablePredictions)
	if err != nil {
		return fmt.Errorf("read which features are stored: %w", err)
	}
	features = unique(append(features, raw...))
	if slices.ContainsFunc(r.features(), func(name string) bool { return slices.Contains(features, name) }) {
		return nil
	}
	segments, err := r.names(ctx, db, "SELECT DISTINCT arrayJoin(mapKeys(segments)) FROM /*table*/ WHERE model = {model:String}", plumbline.TablePredictions)
	if err != nil {
		return fmt.Errorf("read which segments are stored: %w", err)
	}
	_, declared := r.Policy.Segments[r.Feature]
	return UnknownError{r.Model, r.Feature, declared || slices.Contains(segments, r.Feature), r.withoutKeys(features)}
}

// withoutKeys leaves out the names under which a feature stands once more for a key.
func (r Request) withoutKeys(features []string) []string {
	return slices.DeleteFunc(slices.Clone(features), func(name string) bool {
		at := strings.LastIndexByte(name, '@')
		return at > 0 && slices.ContainsFunc(r.Keys, func(k privacy.Key) bool { return k.ID == name[at+1:] }) && slices.Contains(features, name[:at])
	})
}

// names asks every place of some tables for names.
func (r Request) names(ctx context.Context, db *storage.DB, query string, tables ...plumbline.TableName) (names []string, err error) {
	for _, table := range tables {
		for _, at := range places(db, table) {
			rows, err := at.db.Conn().Query(ctx, strings.Replace(query, "/*table*/", at.table, 1), clickhouse.Named("model", string(r.Model)))
			if err != nil {
				return nil, err
			}
			for rows.Next() {
				var name string
				if err := rows.Scan(&name); err != nil {
					return nil, err
				}
				names = append(names, name)
			}
			if err := rows.Err(); err != nil {
				return nil, err
			}
		}
	}
	return slices.DeleteFunc(unique(names), func(name string) bool { return name == "" }), nil
}
