// Package ask answers any question about drift at once: one model, window and
// segment against several references by several measures, from the hourly
// rollups alone.
//
// A [Question] names what is compared; [ParseReference] reads the references as
// people write them: training, previous-deploy, sliding:7d, same-hours:4w, a
// range of time, or auto. [Asker.Ask] returns one [Row] for each series,
// reference and measure. What cannot be compared has a row, too: it is missing
// and says why, it is never healthy. Params is the question as text, for the
// command line and for HTTP; [Handler] serves it.
//
// The package reads no raw rows, writes nothing, and what it says pages nobody.
// Whoever knows how much events that belong together make counts vary tells an
// asker by [Asker.Clustered].
// It keeps references that it has read for a while, and the closed hours of a
// window as long as nothing is added to them, within bounds.
package ask
