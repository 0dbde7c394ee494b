// Command eval-dialects computes NannyML's digits on the car loan data with
// analyze/dialect and holds them against what NannyML printed. It prints one
// JSON line a figure on standard output and a table on standard error, and
// fails where a digit differs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/plumbline-slo/plumbline/testenv/dialects"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

func main() {
	reference := flag.String("reference", "", "reference_synthetic_car_loan.csv.gz")
	monitoring := flag.String("monitoring", "", "monitoring_synthetic_car_loan.csv.gz")
	flag.Parse()
	figures, err := run(*reference, *monitoring)
	if err == nil {
		err = figure.Print(os.Stdout, os.Stderr, figures...)
	}
	for _, f := range figures {
		if !f.Met {
			err = errors.Join(err, fmt.Errorf("%s is %g, want %s", f.Name, f.Value, f.Goal))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "eval-dialects:", err)
		os.Exit(1)
	}
}

func run(reference, monitoring string) ([]figure.Figure, error) {
	peer, err := dialects.Printed()
	if err != nil {
		return nil, err
	}
	ref, err := dialects.ReadTable(reference)
	if err != nil {
		return nil, err
	}
	mon, err := dialects.ReadTable(monitoring)
	if err != nil {
		return nil, err
	}
	ours, err := dialects.CarLoan(ref, mon)
	if err != nil {
		return nil, err
	}
	return dialects.Compare(ours, peer), nil
}
