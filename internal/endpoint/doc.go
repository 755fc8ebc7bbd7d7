// Package endpoint turns a listener of the plan into what a client needs to
// reach it: addresses, a TLS configuration and credentials. It also tells why a
// listener cannot be reached, by asking the port itself what it speaks.
//
// Of Kafka's protocol it knows one request, by which it tells a broker from
// anything else.
package endpoint
