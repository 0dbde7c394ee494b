// Command eval-dialects computes NannyML's digits on the car loan and the
// hotel booking data with analyze/dialect and holds them against what NannyML
// printed. It prints one
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
	var loan, hotel tables
	flag.StringVar(&loan.reference, "loan-reference", "", "reference_synthetic_car_loan.csv.gz")
	flag.StringVar(&loan.monitoring, "loan-monitoring", "", "monitoring_synthetic_car_loan.csv.gz")
	flag.StringVar(&hotel.reference, "hotel-reference", "", "reference_hotel_booking.csv.gz")
	flag.StringVar(&hotel.monitoring, "hotel-monitoring", "", "monitoring_hotel_booking.csv.gz")
	flag.Parse()
	figures, err := run(dialects.CarLoan(), loan)
	if err == nil {
		var more []figure.Figure
		more, err = run(dialects.Hotel(), hotel)
		figures = append(figures, more...)
	}
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

type tables struct{ reference, monitoring string }

func run(study dialects.Study, paths tables) ([]figure.Figure, error) {
	peer, err := study.Printed()
	if err != nil {
		return nil, err
	}
	ref, err := dialects.ReadTable(paths.reference)
	if err != nil {
		return nil, err
	}
	mon, err := dialects.ReadTable(paths.monitoring)
	if err != nil {
		return nil, err
	}
	ours, err := study.Compute(ref, mon)
	if err != nil {
		return nil, err
	}
	return study.Compare(ours, peer), nil
}
