// Command eval-quality holds package estimate against predictions whose labels
// came late, in any CSV or Parquet file: it replays time, asks for the accuracy of
// a window while most of its labels are missing, and compares with the truth.
//
// With -service it asks the whole service instead: it stores the predictions and
// labels in an embedded ClickHouse, has the service count and choose strata as the
// days go by, with its default configuration and then with the longest history, and
// asks it at the end of windows. What the study says at the same ends stands beside.
//
// With -sensitivity it runs the study once for each choice of the study that no data
// makes, made otherwise.
//
// It prints one JSON line a figure on standard output and a table on standard
// error. A figure that falls short of its bar is printed as it is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/dialects"
	"github.com/plumbline-slo/plumbline/testenv/evalquality"
	"github.com/plumbline-slo/plumbline/testenv/figure"
	"github.com/plumbline-slo/plumbline/testenv/labels"
)

// options are the command line.
type options struct {
	name, reference, monitoring string
	columns                     evalquality.Columns
	config                      evalquality.Config
	bars, service, sensitivity  bool
	pictures                    string
	loanReference, loanMonitor  string
}

func main() {
	engine.RunChildIfRequested()
	o := options{config: evalquality.DefaultConfig()}
	flag.StringVar(&o.name, "name", "data", "name of the data in figures and pictures")
	flag.StringVar(&o.reference, "reference", "", "labelled predictions to tune on: a .csv, .csv.gz or .parquet file")
	flag.StringVar(&o.monitoring, "monitoring", "", "later predictions with their labels, in such a file")
	flag.StringVar(&o.columns.Timestamp, "timestamp", "timestamp", "column of the time of the prediction")
	flag.StringVar(&o.columns.Score, "score", "y_pred_proba", "column of the probability of the positive class")
	flag.StringVar(&o.columns.Chosen, "chosen", "y_pred", "column of the class the model called, 0 or 1")
	flag.StringVar(&o.columns.Label, "label", "y_true", "column of the truth, 0 or 1")
	flag.StringVar(&o.columns.Delay, "delay", "", "column of the days after which the label became known")
	flag.StringVar(&o.columns.Known, "known", "", "column of the time at which the label became known")
	flag.StringVar(&o.columns.Driver, "driver", "", "column of a number that drives the delay; empty takes -delay")
	flag.Float64Var(&o.config.WindowDays, "window", o.config.WindowDays, "days of a window")
	flag.Float64Var(&o.config.StepDays, "step", o.config.StepDays, "days from a window to the next, where windows overlap")
	flag.Float64Var(&o.config.Share, "share", o.config.Share, "share of labels at which a window is asked about")
	flag.Float64Var(&o.config.Sample, "sample", o.config.Sample, "share of a window that is labelled at random")
	flag.IntVar(&o.config.Draws, "draws", o.config.Draws, "random samples a window")
	flag.IntVar(&o.config.Strata, "strata", o.config.Strata, "strata of the driver, at most")
	flag.Float64Var(&o.config.Target, "target", 0, "accuracy whose breach is looked for; 0 takes several under the reference's")
	flag.Uint64Var(&o.config.Seed, "seed", o.config.Seed, "seed of the samples")
	flag.BoolVar(&o.bars, "bars", false, "hold the figures against the bars of the hotel booking data")
	flag.BoolVar(&o.service, "service", false, "ask the whole service, on an embedded ClickHouse, at the end of windows, instead of the study")
	flag.BoolVar(&o.sensitivity, "sensitivity", false, "run the study with each choice that no data makes made otherwise, instead of once")
	flag.StringVar(&o.pictures, "pictures", "", "directory for pictures; empty draws none")
	flag.StringVar(&o.loanReference, "loan-reference", "", "reference_synthetic_car_loan.csv.gz, to print CBPE's digits in NannyML's dialect")
	flag.StringVar(&o.loanMonitor, "loan-monitoring", "", "monitoring_synthetic_car_loan.csv.gz")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "eval-quality:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	var figures []figure.Figure
	if o.loanReference != "" {
		digits, err := loan(o.loanReference, o.loanMonitor)
		if err != nil {
			return err
		}
		figures = append(figures, digits...)
	}
	if o.reference != "" {
		more, err := evaluate(ctx, o)
		if err != nil {
			return err
		}
		figures = append(figures, more...)
	}
	if len(figures) == 0 {
		return errors.New("nothing to evaluate: -reference and -monitoring name the files")
	}
	return figure.Print(os.Stdout, os.Stderr, figures...)
}

func evaluate(ctx context.Context, o options) ([]figure.Figure, error) {
	reference, err := evalquality.Read(o.reference, o.columns)
	if err != nil {
		return nil, err
	}
	monitored, err := evalquality.Read(o.monitoring, o.columns)
	if err != nil {
		return nil, err
	}
	world, err := evalquality.NewWorld(reference, monitored)
	if err != nil {
		return nil, err
	}
	if o.service {
		return served(ctx, o, world)
	}
	delays := o.columns.Delay != "" || o.columns.Known != ""
	if o.sensitivity {
		return evalquality.Sensitivity(ctx, o.name, world, o.config, delays)
	}
	report, err := evalquality.Run(ctx, o.name, world, o.config, delays, o.bars)
	if err != nil {
		return nil, err
	}
	if o.pictures != "" {
		if err := report.Draw(o.pictures); err != nil {
			return nil, err
		}
	}
	return report.Figures(), nil
}

// served asks the service.
func served(ctx context.Context, o options, world *evalquality.World) (figures []figure.Figure, err error) {
	log := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	err = labels.WithEngine(ctx, func(e labels.Engine) error {
		report, err := evalquality.RunService(ctx, o.name, world, o.config, e.DB, log)
		if err != nil {
			return err
		}
		report.Bars = o.bars
		figures = report.Figures()
		return nil
	})
	return figures, err
}

// loan returns NannyML's digits of CBPE on the car loan data.
func loan(reference, monitoring string) ([]figure.Figure, error) {
	ref, err := dialects.ReadTable(reference)
	if err != nil {
		return nil, err
	}
	mon, err := dialects.ReadTable(monitoring)
	if err != nil {
		return nil, err
	}
	peer, err := dialects.CarLoan().Printed()
	if err != nil {
		return nil, err
	}
	ours, err := dialects.CarLoan().Compute(ref, mon)
	if err != nil {
		return nil, err
	}
	var out []figure.Figure
	for _, f := range dialects.CarLoan().Compare(ours, peer) {
		for _, name := range []string{"roc_auc", "accuracy", "f1"} {
			if strings.Contains(f.Name, name) {
				out = append(out, f)
			}
		}
	}
	return out, nil
}
