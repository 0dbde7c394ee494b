// Package cause splits the change of a rate between two periods into what each
// part of the predictions (a segment's values, a feature's bins, deploys) adds to
// it: by there being more or fewer of it (mix), and by its being better or worse
// (rate). The shares sum to the change exactly.
//
// It is pure arithmetic on counts. It explains a number by the parts it was
// counted from; it does not say why a part changed.
package cause
