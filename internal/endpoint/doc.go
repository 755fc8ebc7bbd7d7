// Package endpoint turns a listener of the plan into what a client needs to
// reach it: addresses, a TLS configuration and credentials. It also tells why a
// listener cannot be reached, by asking the port itself what it speaks.
//
// It knows nothing of Kafka's protocol.
package endpoint
