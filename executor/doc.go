// Package executor runs a graph of steps against two clusters: one handler per
// step kind, a journal record before and after each effect, events for whoever
// shows progress. What people ask for meanwhile comes through the inbox (desk),
// and gates are steps like others.
//
// It knows Kafka only through the small interfaces that it declares, prints
// nothing, reads no flags and asks no clock but its own. What the rules (R1-R28
// in docs/semantics.md) demand before a step may pass is in the handlers.
//
// Invariants: nothing is done that is not in the journal as intended, and
// nothing without the lock (R18); a request is judged once; a step
// that was running when kplan died is done again after its handler has looked
// at the world; a fact of the moment (quiet, drained, joined) is measured again
// on resume as long as a step that relies on it has not passed.
package executor
