// Package kafka is kplan's control plane: what it asks of a cluster and the
// few things it changes there (topics, their configs, group offsets). It is
// the only package that imports sarama, beside the workload and tests; no
// sarama type crosses its border.
//
// A Client is safe for concurrent use. sarama does not take a context, so a
// call ends at the latest with the network timeouts of this package (15 s a
// request), whatever the caller's context says; the context is looked at
// between requests.
//
// Whole clusters are read in few large requests, which the brokers share (see
// Client.Snapshot), and many topics are changed in one request. The client
// library keeps the metadata of single topics only, never of the whole cluster.
//
// Logs are looked into with the mirror's own reader (mirror/batch, mirror/wire),
// which knows every record format and names what it cannot read.
//
// Questions are asked again while a cluster says "not now", by Kafka's own list
// of what is retriable, and on a new connection where one broke; OnWait tells
// people what is waited for.
//
// Nothing here creates topics by accident: metadata requests forbid automatic
// creation.
package kafka
