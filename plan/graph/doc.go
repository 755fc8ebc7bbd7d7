// Package graph turns a plan into the steps of a migration and the order in
// which they may run.
//
// Build is pure and deterministic: plan, selection, current and wanted sides
// in, the same graph out, whoever asks (diff, apply and, with other wanted
// sides, the way back: R2). It refuses to know clusters, clocks, journals and
// how a step is carried out; a step says only what has to be true before it.
//
// Invariants of every graph that Build returns:
//
//   - it has no cycle, and Steps is a topological order of it, the same on
//     every call;
//   - Needs are direct: no edge is implied by others;
//   - a topic's boundary (R4) needs the stop of each of its writers, and
//     nothing that relies on the boundary runs before it;
//   - nothing that a gate guards runs before the gate, which is a direct need
//     of the first steps that it guards;
//   - no consumer starts on the target before the offsets of its groups are
//     placed there (R9).
//
// A scheme is one file: it adds steps and needs to a builder. See
// production_first.go and production_later.go.
package graph
