package checks

import (
	"fmt"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// Connect judges whether a broker answered at the address that it advertises:
// why says what went wrong, advice what to do about it; both are empty when it
// answered. One advertised address that leads nowhere is enough for clients to
// fail on the partitions that this broker leads.
func Connect(clusterName string, b cluster.Broker, why, advice string) Result {
	r := Result{
		Name:    NameConnect,
		Object:  diff.Object{Kind: "broker", Name: fmt.Sprintf("%s/%d", clusterName, b.ID)},
		Asked:   "does the broker answer at the address that it advertises?",
		Verdict: diff.Pass,
		Saw:     b.Address + " answers",
	}
	if why != "" {
		r.Verdict = diff.Fail
		r.Saw = fmt.Sprintf("broker %d of cluster %q advertises %s, and %s", b.ID, clusterName, b.Address, why)
		r.Advice = advice + " Clients would fail on every partition that this broker leads"
	}
	return r
}
