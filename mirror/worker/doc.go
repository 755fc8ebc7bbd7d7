// Package worker shares the partitions of a mirror among any number of
// processes, and carries out the directions that the state asks for (R17, R18).
//
// Kafka's own group protocol says who copies what: the workers of a migration
// are a consumer group of the source cluster that never fetches and never
// commits. A partition changes hands in order when its owner has let everything
// under way come to its end; the next owner learns that from the shelf.
//
// A worker writes only while its lease stands, on a clock that counts suspended
// time: until the time just before its last answered heartbeat was sent, plus
// the session timeout, less a fifth; and as long after it last began to read the
// directions and had entered itself on the shelf since. Whoever looks at the
// entries can therefore tell when a silent worker has stopped. What it sent
// within its lease may arrive later: who takes over without a clean hand-over
// waits for that where it matters (R23).
//
// Three sets decide what a worker copies: what the group has assigned to it, what
// both clusters are ready for, and what the directions do not stop.
package worker
