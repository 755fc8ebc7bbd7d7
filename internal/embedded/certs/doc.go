// Package certs makes throw-away certificate authorities and leaf
// certificates in memory, for embedded clusters and for tests.
//
// It refuses to know what the certificates are for: no Kafka, no listeners.
// Invariants: private keys leave the package only as PEM that the caller asked
// for; nothing is written to disk except by WriteFile; an authority signs
// leaves only, never another authority. It must not be used to protect
// anything that matters: keys are never stored safely and nothing is revoked.
package certs
