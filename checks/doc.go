// Package checks asks read-only questions about clusters: a name, what was
// asked, what was seen, a verdict and what to do. It never writes to a cluster
// or to a migration's state, and asks through interfaces that it declares
// itself.
//
// A check that could not be asked is an Error, one that cannot be decided is
// Unknown; neither is a Pass.
package checks
