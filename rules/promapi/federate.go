package promapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// exposition is an answer in Prometheus' text format.
type exposition []byte

// federate tells the newest point of every series that one of match[] selects, with
// its own time, as Prometheus' /federate does: so a Prometheus or Mimir that scrapes
// it evaluates the generated rules itself. A point is at most Lookback old.
func (a *API) federate(r *http.Request) (any, error) {
	sets, err := a.matcherSets(r, true)
	if err != nil {
		return nil, err
	}
	now := a.now()
	q, err := a.storage().Querier(now.Add(-a.cfg.Lookback).UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, err
	}
	families := make(map[string]map[string]*dto.Metric)
	for _, m := range sets {
		if err := newestPoints(r.Context(), q, m, families); err != nil {
			return nil, errors.Join(err, q.Close())
		}
	}
	if err := q.Close(); err != nil {
		return nil, err
	}
	return exposed(families)
}

// newestPoints adds the newest point of every series selected, by name and labels.
func newestPoints(ctx context.Context, q storage.Querier, matchers []*labels.Matcher, into map[string]map[string]*dto.Metric) error {
	set := q.Select(ctx, true, nil, matchers...)
	var points chunkenc.Iterator
	for set.Next() {
		of := set.At().Labels()
		points = set.At().Iterator(points)
		var at int64
		v, any := 0.0, false
		for points.Next() == chunkenc.ValFloat {
			at, v = points.At()
			any = true
		}
		if err := points.Err(); err != nil {
			return fmt.Errorf("read %s: %w", of, err)
		}
		if !any || value.IsStaleNaN(v) {
			continue
		}
		name := of.Get(model.MetricNameLabel)
		if into[name] == nil {
			into[name] = make(map[string]*dto.Metric)
		}
		into[name][of.String()] = point(of, at, v)
	}
	return set.Err()
}

func point(of labels.Labels, at int64, v float64) *dto.Metric {
	m := &dto.Metric{Untyped: &dto.Untyped{Value: &v}, TimestampMs: &at}
	of.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			m.Label = append(m.Label, &dto.LabelPair{Name: &l.Name, Value: &l.Value})
		}
	})
	return m
}

// exposed writes families in the order of their names and labels.
func exposed(families map[string]map[string]*dto.Metric) (exposition, error) {
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(families)) {
		family := &dto.MetricFamily{Name: &name, Type: dto.MetricType_UNTYPED.Enum()}
		for _, of := range slices.Sorted(maps.Keys(families[name])) {
			family.Metric = append(family.Metric, families[name][of])
		}
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	return text.Bytes(), nil
}
