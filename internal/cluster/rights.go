package cluster

// Rights are the operations that a cluster lets the asking principal carry out,
// as it tells itself (KIP-430, from 2.3): super users and defaults are in it.
// Operations are in the words of ACL.Operation.
type Rights struct {
	Cluster map[string]bool
	Topics  map[string]map[string]bool // those that were asked for and exist; one that may not be described is absent
	Groups  map[string]map[string]bool
}
