package checks

import (
	"fmt"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// Connect judges whether a broker answered at the address that it advertises.
// One advertised address that leads nowhere is enough for clients to fail on
// the partitions that this broker leads.
func Connect(clusterName string, b cluster.Broker, err error) Result {
	r := Result{
		Name:    NameConnect,
		Object:  diff.Object{Kind: "broker", Name: fmt.Sprintf("%s/%d", clusterName, b.ID)},
		Asked:   "does the broker answer at the address that it advertises?",
		Verdict: diff.Pass,
		Saw:     b.Address + " answers",
	}
	if err != nil {
		r.Verdict = diff.Fail
		r.Saw = fmt.Sprintf("broker %d of cluster %q advertises %s: %v", b.ID, clusterName, b.Address, err)
		r.Advice = "Start the broker or correct its advertised.listeners: clients would fail on every partition that it leads"
	}
	return r
}
