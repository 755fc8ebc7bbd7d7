// Package diff says what a migration would change: plan and snapshots in,
// changes, checks and diagnostics out, as data. `kplan diff` prints them,
// `kplan apply` carries the very same values out, so the two cannot disagree
// and nobody passes a dry-run flag.
//
// It is pure: it refuses to know brokers, clocks and state. What a broker
// answered to validateOnly, which topics kplan created and which overrides are
// recorded is handed in.
//
// Invariants:
//
//   - Configs are compared by source: only what somebody set on a topic counts
//     as set; a differing broker default is a note, never a change.
//   - Additive only: a topic is altered only when kplan created it, the plan
//     names it, or the plan says existing = "alter". Partitions are never
//     removed, replicas never reassigned.
//   - Results are sorted; the same input gives the same output.
package diff
