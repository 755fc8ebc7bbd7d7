package cluster

// Access is what a cluster says about who may do what and how much of it, and
// which SCRAM users it knows. A part that could not be read has the reason in
// its error, and parts that nobody asked for are empty: a cluster without an
// authorizer (ErrNoAuthorizer) or one that refuses one question (ErrNotAllowed)
// can still be compared in all other ways.
type Access struct {
	ACLs    []ACL // sorted
	ACLsErr error

	Quotas    []Quota // sorted by entity
	QuotasErr error

	Users    []ScramUser // sorted; one for each mechanism of a user
	UsersErr error

	// Own is what the cluster lets kplan do on itself; empty where it does not
	// tell (before 2.3, or without Describe on the cluster).
	Own map[string]bool
}
