package checks

import (
	"fmt"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// Capacity judges whether the target has at least as many brokers as the
// source.
func Capacity(source, target cluster.Snapshot) Result {
	r := Result{
		Name:    NameCapacity,
		Object:  diff.Object{Kind: "cluster", Name: "target"},
		Asked:   "has the target as many brokers as the source?",
		Verdict: diff.Pass,
		Saw:     fmt.Sprintf("%d brokers on the target, %d on the source", len(target.Brokers), len(source.Brokers)),
	}
	if len(target.Brokers) < len(source.Brokers) {
		r.Verdict = diff.Fail
		r.Advice = fmt.Sprintf("Add brokers, or say why fewer are enough: waive %q { reason = \"...\" }", NameCapacity)
	}
	return r
}
