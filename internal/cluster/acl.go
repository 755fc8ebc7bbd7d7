package cluster

import (
	"cmp"
	"errors"
	"strings"
)

// ACL is one access rule, in Kafka's own words in lower case, as kafka-acls
// and the documents of kplan write them. It is comparable.
type ACL struct {
	Resource   string `json:"resource"` // topic, group, cluster, transactional_id, delegation_token, user
	Name       string `json:"name"`     // of the resource; "*" is every one; kafka-cluster for the cluster
	Pattern    string `json:"pattern"`  // literal or prefixed (KIP-290)
	Principal  string `json:"principal"`
	Host       string `json:"host"`       // an address; "*": any
	Operation  string `json:"operation"`  // all, read, write, create, delete, alter, describe, cluster_action, describe_configs, alter_configs, idempotent_write, ...
	Permission string `json:"permission"` // allow or deny
}

// The words that kplan itself writes.
const (
	Literal  = "literal"
	Prefixed = "prefixed"
	Allow    = "allow"
	Deny     = "deny"

	Anybody     = "User:*" // every principal
	ClusterName = "kafka-cluster"
)

// ErrNoAuthorizer says that the cluster has no authorizer: everybody may do
// everything, and there are no rules to read or to set.
var ErrNoAuthorizer = errors.New("the cluster has no authorizer")

// ErrNotShown says that the cluster has accepted a change and that one of its
// brokers does not show it in time.
var ErrNotShown = errors.New("a broker does not show what the cluster accepted")

// Covers reports whether the rule is about the resource of that name, as
// Kafka's authorizers match it.
func (a ACL) Covers(resource, name string) bool {
	if a.Resource != resource {
		return false
	}
	if a.Pattern == Prefixed {
		return strings.HasPrefix(name, a.Name)
	}
	return a.Name == name || a.Name == "*"
}

// Compare orders rules for printing.
func (a ACL) Compare(b ACL) int {
	return cmp.Or(
		cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Pattern, b.Pattern),
		cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Permission, b.Permission),
		cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Host, b.Host),
	)
}

// String is the rule as a sentence: allow User:a read on topic "x" from *.
func (a ACL) String() string {
	name := `"` + a.Name + `"`
	if a.Pattern == Prefixed {
		name = `"` + a.Name + `…"`
	}
	return a.Permission + " " + a.Principal + " " + a.Operation + " on " + a.Resource + " " + name + " from " + a.Host
}

// Ruling is what a set of rules says about one wish.
type Ruling int

// The rulings. Where no rule is about the resource at all, the cluster's
// allow.everyone.if.no.acl.found decides, which kplan may not know.
const (
	Unruled Ruling = iota // no rule is about this resource
	Refused               // rules are about it, none allows it, or one denies it
	Granted
)

// Rule answers as Kafka's standard authorizer would for a principal that is no
// super user: DENY beats ALLOW, ALL covers every operation, and READ, WRITE,
// DELETE and ALTER bring DESCRIBE, ALTER_CONFIGS brings DESCRIBE_CONFIGS. The
// host is taken for any: a rule for one host only neither grants nor denies
// here. Rules for User:* are for everybody. (KIP-11; StandardAuthorizerData.)
func Rule(rules []ACL, principal, operation, resource, name string) Ruling {
	ruling := Unruled
	for _, a := range rules {
		if !a.Covers(resource, name) {
			continue
		}
		if ruling == Unruled {
			ruling = Refused
		}
		if a.Principal != principal && a.Principal != Anybody || a.Host != "*" {
			continue
		}
		if a.Permission == Deny && (a.Operation == operation || a.Operation == "all") {
			return Refused
		}
		if a.Permission == Allow && implies(a.Operation, operation) {
			ruling = Granted
		}
	}
	return ruling
}

func implies(has, wants string) bool {
	switch {
	case has == wants, has == "all":
		return true
	case wants == "describe":
		return has == "read" || has == "write" || has == "delete" || has == "alter"
	case wants == "describe_configs":
		return has == "alter_configs"
	}
	return false
}
