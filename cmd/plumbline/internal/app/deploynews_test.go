package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
)

// newsroom is a deployNews whose rows and answers a test writes.
type newsroom struct {
	*deployNews
	all  []knownDeploy
	told []string
	// fail is what telling a deploy answers.
	fail map[plumbline.DeployHash]error
}

var newsNoon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newNewsroom(t *testing.T) *newsroom {
	t.Helper()
	r := &newsroom{fail: map[plumbline.DeployHash]error{}}
	r.deployNews = &deployNews{
		file: filepath.Join(t.TempDir(), "alerting", "told.json"), base: "http://plumbline.example", log: slog.New(slog.DiscardHandler),
		owners: map[plumbline.Model]plumbline.OwnerEntry{"fare": {Name: "flights"}}, began: newsNoon,
		rows: func(_ context.Context, since time.Time) ([]knownDeploy, error) {
			var found []knownDeploy
			for _, d := range r.all {
				if !d.known.Before(since) {
					found = append(found, d)
				}
			}
			slices.SortStableFunc(found, func(a, b knownDeploy) int { return a.known.Compare(b.known) })
			return found[:min(len(found), newsPage)], nil
		},
		tell: func(_ context.Context, owner plumbline.OwnerEntry, d plumbline.Deployment, url string) error {
			if err := r.fail[d.Deploy]; err != nil {
				return err
			}
			r.told = append(r.told, fmt.Sprintf("%s %s %s", owner.Name, d.Deploy, url))
			return nil
		},
	}
	return r
}

func (r *newsroom) deploy(hash string, after time.Duration) { r.deployOf("fare", hash, after) }

func (r *newsroom) deployOf(model plumbline.Model, hash string, after time.Duration) {
	at := newsNoon.Add(after)
	r.all = append(r.all, knownDeploy{known: at, Deployment: plumbline.Deployment{Model: model, Deploy: plumbline.DeployHash(hash), Time: at}})
}

// restart looks as a new process does.
func (r *newsroom) restart(t *testing.T, wantErr bool) {
	t.Helper()
	told, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.look(t.Context(), &told); (err != nil) != wantErr {
		t.Fatalf("look: %v", err)
	}
}

func (r *newsroom) wantTold(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, line := range r.told {
		got = append(got, strings.Fields(line)[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

func TestEachDeployIsToldOnce(t *testing.T) {
	r := newNewsroom(t)
	r.deploy("history", -time.Hour)
	r.restart(t, false)
	r.wantTold(t)

	r.deploy("a", time.Minute)
	r.deploy("a", time.Minute) // sent twice by its producer
	r.all = append(r.all, knownDeploy{known: newsNoon.Add(time.Minute), Deployment: plumbline.Deployment{Model: "undeclared", Deploy: "x"}})
	for range 3 {
		r.restart(t, false)
	}
	r.wantTold(t, "a")
	if r.told[0] != "flights a http://plumbline.example/models/fare" {
		t.Errorf("told %q", r.told[0])
	}

	r.deploy("c", 30*time.Minute)
	r.restart(t, false)
	r.deploy("late", 29*time.Minute) // stored after c, known before
	r.restart(t, false)
	r.wantTold(t, "a", "c", "late")
}

func TestADeployThatCannotBeToldNow(t *testing.T) {
	r := newNewsroom(t)
	r.restart(t, false)
	r.deploy("refused", time.Minute)
	r.deploy("later", 2*time.Minute)
	r.deploy("after", 3*time.Minute)
	r.fail["refused"] = fmt.Errorf("change: %w", pagerduty.ErrRefused)
	r.fail["later"] = errors.New("503")
	r.restart(t, true)
	r.wantTold(t)
	delete(r.fail, "later")
	r.restart(t, false)
	r.restart(t, false)
	r.wantTold(t, "later", "after")
}

// An owner who cannot be told keeps nobody else's deploys back, however long that
// lasts, and is told in order once it is over.
func TestOneOwnerKeepsNoOtherWaiting(t *testing.T) {
	r := newNewsroom(t)
	r.owners["delay"] = plumbline.OwnerEntry{Name: "others"}
	r.restart(t, false)
	r.fail["a"] = errors.New("read PagerDuty routing key: permission denied")
	r.deploy("a", time.Minute)
	r.deploy("behind-a", 2*time.Minute)
	var others []string
	for hour := range 10 {
		others = append(others, fmt.Sprint("of-others-", hour))
		r.deployOf("delay", others[hour], 3*time.Minute+time.Duration(hour)*time.Hour)
		r.restart(t, true)
	}
	r.wantTold(t, others...)
	told, err := r.load()
	if err != nil || len(told.Told) > 2 {
		t.Errorf("%d deploys are remembered as told, %v: the file grows with the owner's wait", len(told.Told), err)
	}
	delete(r.fail, "a")
	for range 2 {
		r.restart(t, false)
	}
	r.wantTold(t, append(others, "a", "behind-a")...)
}

// Who cannot be told for good is owed the latest deploys, and those of a model that
// has no owner any more are nobody's.
func TestWhatIsOwedIsBounded(t *testing.T) {
	r := newNewsroom(t)
	r.restart(t, false)
	var told toldDeploys
	for i := range newsOwed + 2 {
		r.owe(&told, plumbline.Deployment{Model: "fare", Deploy: plumbline.DeployHash(fmt.Sprint(i))})
	}
	if n := len(told.Owed); n != newsOwed || told.Owed[0].Deploy != "2" {
		t.Errorf("%d are owed, from %s on", n, told.Owed[0].Deploy)
	}
	told.Owed = []plumbline.Deployment{{Model: "undeclared", Deploy: "x"}, {Model: "fare", Deploy: "y"}}
	if err := r.look(t.Context(), &told); err != nil || len(told.Owed) != 0 {
		t.Errorf("%d are owed, %v", len(told.Owed), err)
	}
	r.wantTold(t, "y")
}

// A file that cannot be read or written ends nothing; when it can be, the news
// goes on.
func TestNewsOutliveTheirFile(t *testing.T) {
	r := newNewsroom(t)
	if err := os.MkdirAll(filepath.Dir(r.file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var told *toldDeploys
	if err := r.turn(t.Context(), &told); err == nil {
		t.Fatal("a broken file was read")
	}
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	r.deploy("a", time.Minute)
	for range 2 {
		if err := r.turn(t.Context(), &told); err != nil {
			t.Fatal(err)
		}
	}
	r.wantTold(t, "a")
}

// More deploys in a moment than one page holds do not hide the ones behind them.
func TestAFloodOfDeploysEnds(t *testing.T) {
	r := newNewsroom(t)
	r.restart(t, false)
	for i := range newsPage + 100 {
		r.all = append(r.all, knownDeploy{
			known:      newsNoon.Add(time.Minute + time.Duration(i)*time.Millisecond),
			Deployment: plumbline.Deployment{Model: "undeclared", Deploy: plumbline.DeployHash(fmt.Sprint(i))},
		})
	}
	r.deploy("behind", 2*time.Minute)
	told, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := r.look(t.Context(), &told); err != nil {
			t.Fatal(err)
		}
	}
	r.wantTold(t, "behind")
}
