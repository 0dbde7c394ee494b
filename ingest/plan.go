package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/ingest/verify"
)

// foldVersion names the rules by which rows are folded into rollups: change it
// with every change that counts any row differently.
const foldVersion = "fold/3"

// planUnknown is the plan of a batch whose intent is lost. Its segments may be
// any, so they are taken for others than those of every plan.
const planUnknown = "unknown"

// plan returns the hash of everything that decides how an event of the topic
// becomes rows: the decoder, its limits, the schema, the mapping and the privacy policy. A batch
// that was begun under another plan is not stored as this one would, see
// takeoverChanged.
// Behind a + stands the ID of the declared segments, if there are any: by it the
// verification of rollups knows which rows were counted by them.
func (c Config) plan(topic string, policy *privacy.Filter) string {
	h := sha256.New()
	source, _ := c.source(topic)
	fmt.Fprintln(h, source.Identity(), foldVersion, c.Limits, maxCategories, maxCategoryBytes, topic, policy.Identity())
	models := make([]string, 0, len(c.ScoreKinds))
	for model, kind := range c.ScoreKinds {
		models = append(models, fmt.Sprintf("%q=%s", model, kind))
	}
	slices.Sort(models)
	fmt.Fprintln(h, models)
	raw := c.rawTables(topic)
	for _, t := range plumbline.Tables() {
		if slices.Contains(raw, t.Name) || slices.Contains(rollupTables(), t.Name) {
			for _, col := range t.Columns {
				fmt.Fprintln(h, t.Name, col.Name, col.Type)
			}
		}
	}
	return sliced(hex.EncodeToString(h.Sum(nil))[:12], c.Segments.ID())
}

// sliced puts the ID of declared segments behind a plan.
func sliced(plan, segments string) string {
	if segments == "" {
		return plan
	}
	return plan + verify.PlanSeparator + segments
}

// finished is the plan that a batch is recorded with. One that was begun by
// other segments and is finished by these has rollups of either: it was counted
// by neither.
func (b *batch) finished(plan string) string {
	decoded, now, _ := strings.Cut(plan, verify.PlanSeparator)
	for _, before := range []string{b.plan, b.counted} {
		_, segments, _ := strings.Cut(before, verify.PlanSeparator)
		if before == planUnknown || before != "" && segments != now {
			return sliced(decoded, "mixed")
		}
	}
	return plan
}
