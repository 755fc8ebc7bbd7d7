// Package workload holds the producing and consuming services of the demo and
// of the tests, as separate operating system processes, and the proof over
// what they did.
//
// A work directory holds everything: services.json (what runs),
// connection.source.json and connection.target.json (where), and what the
// services leave behind: run/ (locks, readiness), log/, seq/ and ledger/.
// Serve is the body of one service process; Control starts, stops and finds
// such processes; Prove reads the ledgers and says what was lost, repeated or
// out of order.
//
// The package refuses to know plans, steps and journals: it plays the part of
// a team's own services and must not be able to help kplan. It is one of the
// packages that may import sarama, as an independent client.
//
// Invariants:
//   - A record is named by (topic, key, seq); a producer counts seq from 1 per
//     topic and key and goes on counting across restarts and clusters.
//   - A stop by SIGTERM loses nothing and repeats nothing: producers flush,
//     processors flush and then commit, consumers commit what they handled, and
//     both check the commit on the broker before they leave the group.
//   - A ledger holds one instance's deeds in their order, appended only after
//     the deed: an acknowledged record, a handled record. A processor's output
//     stands before the input that it came from, so that every prefix of a
//     ledger is consistent.
//   - Whether a service runs is told by a file lock that dies with its process,
//     never by a number in a file; and so is whether anybody wants the services.
package workload
