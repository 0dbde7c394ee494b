package join

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// step is one step while it goes on: what is new to it, and what its statements are
// told.
type step struct {
	work
	// db is the server that the join writes to. It is asked, too: another replica may
	// lag behind the cursors it has.
	db         *storage.DB
	parameters []any
	told       int // at most so many hashes
	// asked has subqueries in the place of what is too much to be told, old and new
	// by turns.
	asked []string
}

// maxTold bounds the hashes that the statements of a step are told: parameters are
// part of the address, and one of 128 KiB ClickHouse refuses.
const maxTold = 1000

// begin looks up what the statements of a step need: which new predictions labels
// wait for, which ids have labels that are not new, and the days of their predictions.
// It asks for what is not indexed after the frontier was read, so that it covers that.
//
// New predictions that no label waits for are left out, as in most steps are all. A
// label that comes after the frontier was read is another step's, and finds them.
func (j *Join) begin(ctx context.Context, w work) (step, error) {
	queues, err := j.unindexed(ctx)
	if err != nil {
		return step{}, err
	}
	s := step{work: w, db: j.db.Derived(), told: j.told}
	s.tell(w.labels.parameters("labels")...)
	s.tell(newsOf(queues, plumbline.TableLabels).parameters("index_labels")...)
	s.tell(newsOf(queues, plumbline.TablePredictions).parameters("index_predictions")...)
	s.tell(clickhouse.Named("ends", w.ends), j.cfg.Segments.Parameter(), j.cfg.scoreNumbers(), clickhouse.Named("oldest", j.oldest()))
	if err := s.wait(ctx); err != nil || !s.touches() {
		return s, err
	}
	if _, err := s.look(ctx, "again", "WITH touched AS (\n/*touched*/\n)\n", againSQL); err != nil {
		return s, fmt.Errorf("look for labels beside the new ones: %w", err)
	}
	return s, s.days(ctx)
}

func (s *step) tell(parameters ...any) { s.parameters = append(s.parameters, parameters...) }

// wait tells which new predictions are touched.
func (s *step) wait(ctx context.Context) error {
	if len(s.predictions.to) > 0 {
		asking := *s
		asking.parameters = slices.Concat(s.parameters, s.predictions.parameters("predictions"))
		some, err := asking.look(ctx, "waiting", "", waitingSQL)
		if err != nil {
			return fmt.Errorf("look for labels of new predictions: %w", err)
		}
		if some {
			*s = asking
			return nil
		}
		s.predictions = newNews()
	}
	s.tell(s.predictions.parameters("predictions")...)
	s.tell(clickhouse.Named("waiting", []uint64{}))
	return nil
}

// apart are the touched ids by way of an array: ClickHouse would push a condition with
// a subquery down into touched, to where other shards do not have what it found.
const apart = "(SELECT id.1 AS model, id.2 AS prediction_id FROM (SELECT arrayJoin(groupUniqArray((toString(model), prediction_id))) AS id FROM touched))"

// look tells the statements of a step which hashes a subquery finds, and returns
// whether there are any. If they are many, each statement asks the subquery itself.
func (s *step) look(ctx context.Context, parameter, with, subquery string) (bool, error) {
	var hashes []uint64
	question := with + "SELECT groupUniqArray(" + strconv.Itoa(s.told+1) + ")(hash) FROM (\n" + subquery + ") SETTINGS local_filesystem_read_method = 'pread'"
	if err := s.db.Conn().QueryRow(ctx, s.sql(question), s.parameters...).Scan(&hashes); err != nil {
		return false, err
	}
	some := len(hashes) > 0
	if len(hashes) > s.told {
		s.asked = append(s.asked, "IN {"+parameter+":Array(UInt64)}", "GLOBAL IN (SELECT hash FROM (\n"+ofPrediction(subquery)+"))", "FROM touched AS ids", "FROM "+apart+" AS ids")
		hashes = []uint64{}
	}
	s.tell(clickhouse.Named(parameter, hashes))
	return some, nil
}

// days tells the days that may have deliveries of what is touched.
func (s *step) days(ctx context.Context) error {
	var days []string
	if err := s.db.Conn().QueryRow(ctx, s.sql(daysSQL), s.parameters...).Scan(&days); err != nil {
		return fmt.Errorf("find the days of what is new: %w", err)
	}
	s.tell(clickhouse.Named("days", days))
	return nil
}

// sql is a statement of the step.
func (s *step) sql(statement string) string {
	statement = strings.NewReplacer(s.asked...).Replace(withTouched(statement))
	for _, table := range []plumbline.TableName{plumbline.TableDaysByID, plumbline.TableLabelsByID} {
		statement = strings.ReplaceAll(statement, "FROM "+string(table), "FROM "+s.db.Local(table))
	}
	return statement
}
