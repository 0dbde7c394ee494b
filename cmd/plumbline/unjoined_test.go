package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
)

// Labels that wait to be joined are told of wherever labels are counted, for people and
// for programs; where none wait, nobody is.
func TestLabelsThatWaitAreTold(t *testing.T) {
	for name, said := range map[string]func(io.Writer, uint64) (any, error){
		"quality": func(out io.Writer, waiting uint64) (any, error) {
			a := ask.Answer{Model: "m", Unjoined: waiting}
			return a, printQuality(out, a)
		},
		"maturity": func(out io.Writer, waiting uint64) (any, error) {
			m := forecast.Maturity{Model: "m", Unjoined: waiting}
			return m, printMaturity(out, m)
		},
	} {
		for _, waiting := range []uint64{0, 12} {
			var out bytes.Buffer
			answer, err := said(&out, waiting)
			if err != nil {
				t.Fatal(err)
			}
			written, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			if told := strings.Contains(out.String(), "12 labels, of this or another model, are stored and wait to be joined"); told != (waiting > 0) || strings.Contains(out.String(), "wait") != told {
				t.Errorf("%s, %d wait: %s", name, waiting, &out)
			}
			if told := strings.Contains(string(written), `"unjoined_labels":12`); told != (waiting > 0) || strings.Contains(string(written), "unjoined_labels") != told {
				t.Errorf("%s, %d wait: %s", name, waiting, written)
			}
		}
	}
}
