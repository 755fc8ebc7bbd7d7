// Package cluster holds the plain values in which the rest of kplan speaks
// about Kafka: topics, configs and where they come from, groups, positions and
// snapshots. It imports nothing of kplan and nothing of any Kafka client, so
// that pure packages can be tested without a broker.
//
// A value of this package says what was observed at one moment. It never
// refreshes itself.
package cluster
