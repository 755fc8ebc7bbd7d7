package cluster

import "errors"

// Rights are the operations that a cluster lets the asking principal carry out,
// as it tells itself (KIP-430, from 2.3): super users and defaults are in it.
// Operations are in the words of ACL.Operation. What is asked about need not
// exist: rules go by name.
type Rights struct {
	Cluster map[string]bool            // empty without Describe on the cluster, whatever else is allowed
	Topics  map[string]map[string]bool // those that were asked for; one that may not be described is absent
	Groups  map[string]map[string]bool // the same

	// NoGroups says that nobody was asked about groups, since the cluster has never
	// had one: the question would make it create its topic of offsets.
	NoGroups bool
}

// ErrNotAllowed says that the cluster refuses to answer this principal.
var ErrNotAllowed = errors.New("this principal may not ask that")

// ErrUserExists says that a user to be created is there already.
var ErrUserExists = errors.New("the user exists already")

// ErrRightsUntold says that the brokers speak Kafka's protocol and leave the
// rights out of their answers.
var ErrRightsUntold = errors.New("the brokers do not tell what a principal may do (KIP-430)")
