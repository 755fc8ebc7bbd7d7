package checks

import (
	"slices"

	"kplan/internal/cluster"
	"kplan/plan"
)

// selfKind is how kplan's own principal comes by its rights on a cluster.
type selfKind int

const (
	ruled   selfKind = iota // rules give them, and rules can take them away
	above                   // a super user or one with a role: no rule gives them, and none takes them
	unnamed                 // the plan does not tell who it is, so no rule is known to be about it
)

// selfOf finds that out. own is what the cluster says that kplan may do on it,
// and everybody whether what no rule is about may be allowed to everybody.
func selfOf(on *plan.Cluster, own map[string]bool, rules []cluster.ACL, everybody bool) selfKind {
	if nameless(on) {
		return unnamed
	}
	who, known := principal(on), fromAnywhere(rules)
	for operation, may := range own {
		ruling := cluster.Rule(known, who, operation, "cluster", cluster.ClusterName)
		if may && (ruling == cluster.Refused || ruling == cluster.Unruled && !everybody) {
			return above
		}
	}
	return ruled
}

// nameless reports whether the brokers take kplan's name from a certificate or a
// token: principal has a word in its place then.
func nameless(on *plan.Cluster) bool {
	if on.SASL != nil {
		return on.SASL.Username == ""
	}
	return on.TLS != nil && on.TLS.CertFile != ""
}

// fromAnywhere takes rules that allow something from one host for rules that
// allow it from all: kplan does not know which address the brokers see.
func fromAnywhere(rules []cluster.ACL) []cluster.ACL {
	all := slices.Clone(rules)
	for i := range all {
		if all[i].Permission == cluster.Allow {
			all[i].Host = "*"
		}
	}
	return all
}

// everybodyMay reports whether everybody may, on a cluster, do what no rule is
// about, and whether the plan states it; hidden says that a broker has the
// setting.
func everybodyMay(on *plan.Cluster, hidden bool) (may, stated bool) {
	if on.Authorizer != nil {
		return on.Authorizer.AllowEveryone, true
	}
	return hidden, false
}
