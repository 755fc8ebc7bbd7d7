// Package wire speaks Kafka's protocol to the brokers of one cluster, for the
// mirror's data path: record batches come and go as bytes. It knows nothing of
// what is in a batch.
//
// A Client knows the brokers of a cluster and keeps connections to them. A Conn
// is one connection: any number of requests may be under way on it, and the
// broker answers them in their order. Since a broker carries out one request of
// a connection at a time, a Client has several lanes to each broker, and who
// needs order keeps to one lane.
//
// The control plane (topics, groups, rules) is not here; internal/kafka has it.
package wire
