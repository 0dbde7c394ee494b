package ask

import (
	"fmt"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv"
)

// BenchmarkLabelled asks for every metric of a binary model over rows of a day:
//
//	go test ./analyze/quality/ask -run xxx -bench Labelled -benchtime 3x
func BenchmarkLabelled(b *testing.B) {
	env := testenv.Start(b, testenv.Setup{Storage: testenv.KeepAll})
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			model := fmt.Sprint("m", n)
			const rows = `INSERT INTO outcomes (model, deploy_hash, stage, prediction_id, ts, known, label_topic, label_partition, label_offset, predicted, label, score, labelled, correct, requests, version)
SELECT '%[1]s', 'd', 'production', toString(number), toDateTime64('2026-03-31 20:00:00', 3, 'UTC') + number %% 28800 AS at, at + 60, 'labels', 0, number, if(s > 0.5, 'fraud', 'ok'), if(rand(2) %% 100 < 100 * s, 'fraud', 'ok'), rand(1) / 4294967296. AS s, 1, 1, 1, 1 FROM numbers(%[2]d)`
			const cells = "INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) SELECT '%[1]s', 'd', 'production', '', toDateTime('2026-03-31 20:00:00', 'UTC'), toDateTime('2026-03-31 20:00:00', 'UTC'), %[2]d, 0, %[2]d, 1"
			for _, statement := range []string{rows, cells} {
				if err := env.DB.Conn().Exec(b.Context(), fmt.Sprintf(statement, model, n)); err != nil {
					b.Fatal(err)
				}
			}
			asker, err := New(env.DB.Conn(), map[plumbline.Model]Declaration{plumbline.Model(model): {Task: Binary, Positive: "fraud"}})
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for range b.N {
				if _, err := asker.Ask(b.Context(), Question{Model: plumbline.Model(model), From: begin, To: begin.Add(9 * time.Hour)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
