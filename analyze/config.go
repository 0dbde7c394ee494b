package analyze

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
	"github.com/plumbline-slo/plumbline/analyze/dataquality"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/storage"
)

// mostPause is the longest pause between two findings that rules read. What is left
// until they see one no more is for the look itself and for one that fails.
const mostPause = plumbline.FindingAge * 3 / 4

// Config says how often and over which windows the analyzers look.
type Config struct {
	// Interval is the pause between two looks. Default 10 s. Rules see a finding for ten
	// minutes, and alerts whose findings come and go never fire, however long it lasts: so
	// interval, burn_interval, budget_interval, and the sums of interval with
	// estimate_interval and with label_arrival.interval are at most 7m30s.
	Interval time.Duration `yaml:"interval"`
	// BurnInterval is the least pause between two looks at the burn of objectives
	// that count events as they come, which a page waits for. Default 1 s. After a look
	// that takes longer it is as long as that look, up to Interval from its beginning.
	BurnInterval time.Duration `yaml:"burn_interval"`
	// BudgetInterval is the pause between two looks at what is left of error budgets,
	// which sum the whole period of each SLO. Default 2 min.
	BudgetInterval time.Duration `yaml:"budget_interval"`
	// DriftWindows are the windows whose features are compared with the training
	// set. They count in whole hours. Default 24 h.
	DriftWindows []time.Duration `yaml:"drift_windows"`
	// QualityWindows are the windows of accuracy and coverage. Default 1 h, 6 h
	// and 24 h.
	QualityWindows []time.Duration `yaml:"quality_windows"`
	// ReferenceRefresh is how long a reference that was read is used again, by
	// every look. Default 10 min: a training set that is imported shows after that.
	ReferenceRefresh time.Duration `yaml:"reference_refresh"`
	// MaxLabelLag is how far in the past the latest labelled minute may lie
	// before an SLO counts as missing. It must exceed the usual label delay.
	// Default 7 days.
	MaxLabelLag time.Duration `yaml:"max_label_lag"`
	// DriftMinEffect is the least PSI of a feature of all traffic against the
	// training set, beyond noise and beyond what the same hours always show, that is
	// a breach. Every other comparison takes MinEffect. Default 0.25.
	DriftMinEffect float64 `yaml:"drift_min_effect"`
	// DataQualityInterval is the pause between two looks at the features' data
	// quality. Default 5 min: rollups are by hour, so it says the same for a while.
	DataQualityInterval time.Duration `yaml:"data_quality_interval"`
	// DataQualityWindow is the window whose events are looked at, in whole hours.
	// Default 24 h.
	DataQualityWindow time.Duration `yaml:"data_quality_window"`
	// DataQualityMinEffect overrides the least effects of the checks by measure,
	// for example null_share: 0.05, in the unit that docs/data-quality.md names.
	DataQualityMinEffect map[string]float64 `yaml:"data_quality_min_effect"`
	// DriftInterval is the pause between two looks at drift. Default 1 min: rollups
	// are by hour.
	DriftInterval time.Duration `yaml:"drift_interval"`
	// References are what drift is measured against: training, previous-deploy,
	// sliding:7d, same-hours:4w, a range, auto. Default training and
	// same-hours:4w.
	References []string `yaml:"references"`
	// Segments is how many of the declared segments of a model are looked at by
	// themselves, those with most requests first. Default 10; 0 is none.
	Segments int `yaml:"segments"`
	// SegmentInterval is the pause between two looks at segments. Default 5 min.
	SegmentInterval time.Duration `yaml:"segment_interval"`
	// Alarm says when drift is worth a ticket.
	Alarm AlarmConfig `yaml:"alarm"`
	// Proxies says when what speaks before labels is unusual.
	Proxies ProxyConfig `yaml:"proxies"`
	// Ledger says when past alarms are judged.
	Ledger LedgerConfig `yaml:"ledger"`
	// Clusters says of models what their events belong together by, as they
	// declare it.
	Clusters cluster.Keys `yaml:"-"`
	// Measures are the distances that drift is measured with.
	Measures Measures `yaml:"measures"`
	// MinEffect overrides the least effects of the measures, for example psi: 0.1,
	// each in its own unit: a breach lies beyond it and beyond noise.
	MinEffect map[measure.ID]float64 `yaml:"min_effect"`
	// LabelInterval is the pause between two looks at labels and at what they say
	// of the concept. They read raw rows. Default 5 min.
	LabelInterval time.Duration `yaml:"label_interval"`
	// LabelWindow is the window whose labels are compared, LabelHistory what it
	// is compared with, just before it; both in whole weeks or days, so that the
	// hours and weekdays of both are alike. Defaults 7 and 28 days.
	LabelWindow  time.Duration `yaml:"label_window"`
	LabelHistory time.Duration `yaml:"label_history"`
	// DuplicateShare is the share of repeated deliveries of an hour above which
	// they are a breach, in [0, 1]. Default 0.01: producers that send at least
	// once repeat some.
	DuplicateShare float64 `yaml:"duplicate_share"`
	// MetricInterval is the pause between two looks at the metrics and the fairness
	// that models declare. Default 5 min: rollups are by hour.
	MetricInterval time.Duration `yaml:"metric_interval"`
	// FairnessWindow is the window whose protected segments are compared. Default
	// 7 days.
	FairnessWindow time.Duration `yaml:"fairness_window"`
	// LabelArrival says when labels that stay away are missed.
	LabelArrival LabelArrivalConfig `yaml:"label_arrival"`
	// EstimateInterval is the pause between two looks at maturity and at quality
	// before the labels are in. Default 5 min; what they say changes with the hour.
	// Longer than 7m30s with interval, rules would lose sight of it: see there.
	EstimateInterval time.Duration `yaml:"estimate_interval"`
	// EstimateWindows are the windows of maturity and of estimates, in whole
	// hours. Default 24 h and 7 days.
	EstimateWindows []time.Duration `yaml:"estimate_windows"`
	// EstimateHistory is how far back calibrations and delay curves look, in whole
	// days. Default 90 days.
	EstimateHistory time.Duration `yaml:"estimate_history"`
	// Models are what owners declare of their models; it is set from models.
	Models map[plumbline.Model]ModelConfig `yaml:"-"`
}

// Measures are measures by the kind of a series.
type Measures struct {
	// Numbers are those of numeric features, scores and values. Default psi and
	// wasserstein_normalised.
	Numbers []measure.ID `yaml:"numbers"`
	// Categories are those of texts and classes. Default psi and tvd.
	Categories []measure.ID `yaml:"categories"`
}

func (m Measures) validate() error {
	var errs []error
	check := func(kind string, ids []measure.ID, defined func(measure.Definition) bool) {
		for _, id := range ids {
			if d, ok := measure.Lookup(id); !ok || !defined(d) {
				errs = append(errs, fmt.Errorf("analyze.measures.%s: %q is no measure of %s", kind, id, kind))
			}
		}
	}
	check("numbers", m.Numbers, func(d measure.Definition) bool { return d.Numbers })
	check("categories", m.Categories, func(d measure.Definition) bool { return d.Categories })
	return errors.Join(errs...)
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{
		Interval:         10 * time.Second,
		BurnInterval:     time.Second,
		BudgetInterval:   2 * time.Minute,
		DriftWindows:     []time.Duration{24 * time.Hour},
		QualityWindows:   []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour},
		ReferenceRefresh: 10 * time.Minute,
		MaxLabelLag:      burn.DefaultMaxLag,
		DriftMinEffect:   drift.DefaultOptions().MinEffect,
		DuplicateShare:   0.01,
		MetricInterval:   5 * time.Minute,
		FairnessWindow:   7 * day,

		DriftInterval: time.Minute, SegmentInterval: 5 * time.Minute, Segments: 10,
		References: []string{plumbline.ReferenceTraining, "same-hours:4w"},
		Alarm:      defaultAlarm(),
		Proxies:    defaultProxies(),
		Ledger:     defaultLedger(),
		Measures: Measures{
			Numbers:    []measure.ID{measure.PSI, measure.WassersteinScale},
			Categories: []measure.ID{measure.PSI, measure.TVD},
		},
		LabelInterval: 5 * time.Minute, LabelWindow: 7 * day, LabelHistory: 28 * day,
		LabelArrival:     defaultLabelArrival(),
		EstimateInterval: 5 * time.Minute, EstimateWindows: []time.Duration{day, 7 * day}, EstimateHistory: 90 * day,

		DataQualityInterval: 5 * time.Minute,
		DataQualityWindow:   day,
	}
}

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	errs := []error{c.validateTimes(), c.validatePauses(), c.Alarm.validate(), c.Proxies.validate(), c.Ledger.validate(), c.Measures.validate(), c.validateEstimates()}
	wrong := func(field string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("analyze.%s: %w", field, err))
		}
	}
	_, err := c.references()
	wrong("references", err)
	wrong("min_effect", c.distances().Validate())
	wrong("data_quality_min_effect", c.dataQuality().Validate())
	if c.Segments < 0 {
		errs = append(errs, fmt.Errorf("analyze.segments: %d is negative", c.Segments))
	}
	if c.DriftMinEffect < 0 {
		errs = append(errs, fmt.Errorf("analyze.drift_min_effect: %v is negative", c.DriftMinEffect))
	}
	if !(c.DuplicateShare >= 0 && c.DuplicateShare <= 1) {
		errs = append(errs, fmt.Errorf("analyze.duplicate_share: %v is not between 0 and 1", c.DuplicateShare))
	}
	return errors.Join(errs...)
}

// validateTimes returns the mistakes in intervals and windows.
func (c Config) validateTimes() error {
	var errs []error
	positive := func(field string, d time.Duration) {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("analyze.%s: %s is not positive", field, d))
		}
	}
	whole := func(field string, unit time.Duration, units string, all ...time.Duration) {
		for _, d := range all {
			if d < unit || d%unit != 0 {
				errs = append(errs, fmt.Errorf("analyze.%s: %s is not a number of %s", field, d, units))
			}
		}
	}
	positive("interval", c.Interval)
	positive("burn_interval", c.BurnInterval)
	positive("budget_interval", c.BudgetInterval)
	positive("max_label_lag", c.MaxLabelLag)
	positive("data_quality_interval", c.DataQualityInterval)
	positive("label_interval", c.LabelInterval)
	positive("drift_interval", c.DriftInterval)
	positive("segment_interval", c.SegmentInterval)
	positive("metric_interval", c.MetricInterval)
	whole("fairness_window", time.Hour, "hours", c.FairnessWindow)
	if c.ReferenceRefresh < 0 {
		errs = append(errs, fmt.Errorf("analyze.reference_refresh: %s is negative", c.ReferenceRefresh))
	}
	whole("drift_windows", time.Hour, "hours", c.DriftWindows...)
	whole("quality_windows", time.Minute, "minutes", c.QualityWindows...)
	whole("label_window", day, "days", c.LabelWindow)
	whole("label_history", day, "days", c.LabelHistory)
	whole("data_quality_window", time.Hour, "hours", c.DataQualityWindow)
	if c.DataQualityWindow > 7*day {
		errs = append(errs, fmt.Errorf("analyze.data_quality_window: %s is more than 7 days", c.DataQualityWindow))
	}
	return errors.Join(errs...)
}

// validatePauses returns the intervals that leave rules without findings at times.
func (c Config) validatePauses() error {
	why := "rules see a finding for " + plumbline.WindowName(plumbline.FindingAge) + ", and alerts whose findings come and go stay silent, which looks healthy"
	var errs []error
	alone := func(field string, d time.Duration) {
		if d > mostPause {
			errs = append(errs, fmt.Errorf("analyze.%s: %s is too long: %s; write %s at most", field, d, why, mostPause))
		}
	}
	alone("interval", c.Interval)
	alone("burn_interval", c.BurnInterval)
	alone("budget_interval", c.BudgetInterval)
	if c.Interval > mostPause {
		return errors.Join(errs...)
	}
	// What is due only then is looked at every Interval.
	within := func(field string, d time.Duration) {
		if d > mostPause-c.Interval {
			errs = append(errs, fmt.Errorf("analyze.%s: %s with analyze.interval (%s) is too long: %s; write %s together at most", field, d, c.Interval, why, mostPause))
		}
	}
	within("estimate_interval", c.EstimateInterval)
	within("label_arrival.interval", c.LabelArrival.Interval)
	return errors.Join(errs...)
}

func (c Config) driftOptions() drift.Options {
	o := drift.DefaultOptions()
	o.MinEffect = c.DriftMinEffect
	return o
}

// references returns the references as they are asked for.
func (c Config) references() ([]ask.Reference, error) {
	var all []ask.Reference
	for _, text := range c.References {
		r, err := ask.ParseReference(text)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, errors.New("there is none")
	}
	return all, nil
}

// distances returns the options that distances are judged with.
func (c Config) distances() measure.Options {
	o := measure.DefaultOptions()
	o.MinEffect = c.MinEffect
	return o
}

func (c Config) dataQuality() dataquality.Options {
	o := dataquality.DefaultOptions()
	o.MinEffect = c.DataQualityMinEffect
	return o
}

// Dependencies are what the analyzers work with.
type Dependencies struct {
	DB *storage.DB
	// Objectives are the SLOs whose burn is computed. Models without one are
	// analysed all the same.
	Objectives []plumbline.Objective
	// Queries runs the statements of SLOs on SQL, as a user that may only read; nil
	// where there is none. PromQL evaluates the expressions of those on PromQL.
	Queries count.Querier
	PromQL  count.PromQL
	// Changed is told which SLOs on counts have another verdict than before, once it
	// is written; nil is told nothing. The next look waits for it.
	Changed func(...plumbline.SLOName)
	// Quality is what models declare of their answers and labels.
	Quality map[plumbline.Model]qualityask.Declaration
	// Registerer gets the runner's metrics; nil registers them nowhere.
	Registerer prometheus.Registerer
	// Log gets the error of a look that will be repeated; nil drops it.
	Log *slog.Logger
}
