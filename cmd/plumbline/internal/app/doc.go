// Package app is the service as one object: its configuration, composed of each
// part's section, and the straight line that builds the parts, starts them in
// the order of the data and stops them in reverse. It may import everything and
// nothing may import it but commands.
package app
