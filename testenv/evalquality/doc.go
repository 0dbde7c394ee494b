// Package evalquality holds package estimate against data whose truth is known:
// predictions with the time at which each label became known. It replays time,
// asks for the quality of a window as of a date, and compares the answer with what
// the labels said in the end.
//
// An estimator sees the data through a View alone, which hands out no label
// before it was known; truth is for the grader. Delay curves are made through
// views too, and the labels of a random sample are asked for one by one. Tests
// turn every label of the future round, or all outside a sample, and fail if any
// answer changes.
//
// The study asks the estimator of the service. Service asks the whole of it: what
// the history of the service counted, in an engine, hour by hour.
//
// It is for evaluation only: nothing of the product uses it, and the data is read
// from files that are never part of this repository.
package evalquality
