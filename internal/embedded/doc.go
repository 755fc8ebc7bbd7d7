// Package embedded starts Kafka clusters inside this process, on franz-go's
// kfake: real protocol on loopback, no Kafka underneath. They serve the demo,
// the tests and the rehearsal.
//
// It refuses to know plans, services and steps. Invariants: every port is
// chosen by the kernel; a cluster owns nothing outside this process, so that
// Close (or the end of the process) leaves nothing behind; what a broker
// advertises can be made to differ from where it listens, since that is a
// fault that kplan has to find.
//
// An embedded cluster is laxer than Apache Kafka: it takes any topic config,
// invents replica assignments and simulates neither min.insync.replicas nor
// log.message.timestamp.type. Options.Strict makes it judge record batches as
// Kafka does. What must hold on a broker is tested on real ones
// (internal/kafkatest).
package embedded
