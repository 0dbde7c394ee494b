package alerting

import (
	"context"
	"errors"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Explainer finds what explains an incident: drifted features, quality before
// and after, the deploy. It is asked once for every notice of a firing
// incident, under a deadline, and its error never stops a page.
type Explainer interface {
	Explain(ctx context.Context, about Question) (Explanation, error)
}

// Question says which incident is to be explained. SLO may be empty.
type Question struct {
	Model  plumbline.Model
	Deploy plumbline.DeployHash
	SLO    plumbline.SLOName
	// Since is when the incident began, Now when its text is written.
	Since, Now time.Time
	// Window is the longest long window that fires, 0 if the rule names none.
	Window time.Duration
}

// Explanation is what is known about the cause. Every part may be missing.
type Explanation struct {
	// Features are the features that drifted, worst first.
	Features []FeatureShift
	// NoDrift says, as a sentence's part, why nothing is known of drift, for
	// example "no reference"; empty where it was measured.
	NoDrift string
	// Carriers say in words which segments, deploys or hours carry the drift, a
	// sentence's part each, for example `segment region "eu" carries 97 %`.
	Carriers []string
	Quality  *QualityChange
	// Windows are the bad shares of the SLO's windows now, its period among them
	// where it is known.
	Windows []WindowShare
	// Unknown says, as a sentence's part, why nothing is known of the SLO, where the
	// analysis knows it.
	Unknown string
	// Coverage is the share of the predictions concerned whose label is known,
	// between 0 and 1.
	Coverage *float64
	// SQL returns the alert's number; an annotation sql goes before it.
	SQL string
	// DashboardURL and PageURL show model and deploy; annotations go before.
	DashboardURL string
	PageURL      string
	Deploy       DeployInfo
}

// WindowShare is the bad share of one window of an SLO.
type WindowShare struct {
	// Window is as the rule writes it, for example "6h".
	Window string
	// Bad is the share, Low and High its 95 % interval: NaN where not known.
	Bad, Low, High float64
	// Events is how many Bad is a share of, 0 where not known; What names them,
	// for example "requests".
	Events uint64
	What   string
}

// FeatureShift is one feature that explains the incident.
type FeatureShift struct {
	Feature plumbline.Feature
	// PSI is the population stability index against the training set.
	PSI float64
	// Share is the feature's part of the explanation, between 0 and 1; zero if
	// not known.
	Share float64
	// Before and After say the change in words, for example "median 569" and
	// "412,000".
	Before, After string
}

// QualityChange is a measure of quality on both sides of the change.
type QualityChange struct {
	// Measure names it, for example "accuracy".
	Measure string
	// Before and After are between 0 and 1.
	Before, After float64
	// BeforeWhat and AfterWhat say of what, for example "deploy 3f9c, the last
	// 7 days" and "this deploy".
	BeforeWhat, AfterWhat string
}

// DeployInfo is what the deployment event said.
type DeployInfo struct {
	Version  string
	By       string
	Commit   string
	At       time.Time
	Previous plumbline.DeployHash
}

// errNoExplainer is shown on the page, so it reads as a sentence's end.
var errNoExplainer = errors.New("no explainer is configured")

// explain asks the explainer within the timeout. A panic of the explainer is an
// error like any other: the page must go out.
func explain(ctx context.Context, e Explainer, timeout time.Duration, about Question) (Explanation, error) {
	if e == nil {
		return Explanation{}, errNoExplainer
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type answer struct {
		explanation Explanation
		err         error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a.err = fmt.Errorf("explain %s: panic: %v", about.Model, p)
			}
			answers <- a
		}()
		a.explanation, a.err = e.Explain(ctx, about)
	}()
	select {
	case a := <-answers:
		return a.explanation, a.err
	case <-ctx.Done():
		return Explanation{}, fmt.Errorf("no answer within %s", timeout)
	}
}
