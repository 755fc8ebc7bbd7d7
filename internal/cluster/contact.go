package cluster

import "time"

// Stage is how far a connection came before it failed.
type Stage string

// The stages, in their order. NoStage: nothing failed.
const (
	NoStage    Stage = ""
	StageReach Stage = "reach" // name, TCP, and whether it is a Kafka broker at all
	StageTLS   Stage = "tls"   // handshake, chain, host name, client certificate
	StageLogin Stage = "login" // SASL
)

// Certificate is one certificate that a listener presented.
type Certificate struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	Names    []string  `json:"names,omitempty"` // DNS names and IP addresses that it is for (SAN)
	NotAfter time.Time `json:"not_after"`
}

// Contact is what one address of a listener showed to a client that came with
// the plan's TLS and credentials.
type Contact struct {
	Broker       int32 // -1: an address of bootstrap that no broker advertises
	Address      string
	Certificates []Certificate // as presented, the broker's own first; empty without TLS
	Failed       Stage         // where it failed; NoStage: the broker answered
	Why          string        // why it failed
	Do           string        // what to do about it
}

// Listening is what a listener of a cluster showed: every address at which its
// brokers want to be spoken to, in the order of the brokers.
type Listening struct {
	Cluster   string // the plan's names
	Listener  string // "": the cluster's own
	TLS       bool
	Mechanism string       // of SASL; empty: none
	ClusterID string       // empty: nobody answered
	Client    *Certificate // kplan's own, where the plan has one (mutual TLS)
	Contacts  []Contact
}
