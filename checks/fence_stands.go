package checks

import (
	"fmt"
	"slices"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// Standing judges whether the rules of a topic's fence are still on the source:
// tools that own a cluster's rules take away what they do not know (R8). With
// err the rules could not be read.
func Standing(topic string, deny, rules []cluster.ACL, err error) Result {
	r := Result{
		Name: NameFenceStands, Object: diff.Object{Kind: "topic", Name: topic}, Verdict: diff.Pass,
		Asked: "does the fence on the source still stand? (R8)", Saw: "every rule of it is there",
	}
	if err != nil {
		r.Verdict, r.Saw = diff.Error, err.Error()
		r.Advice = "Allow kplan to Describe the source's cluster (kafka-acls --operation Describe --cluster), and see that its authorizer is on"
		return r
	}
	if i := slices.IndexFunc(deny, func(a cluster.ACL) bool { return !slices.Contains(rules, a) }); i >= 0 {
		r.Verdict = diff.Fail
		r.Saw = fmt.Sprintf("a rule is gone: %s. Its writers could write there again, and nobody would read it", deny[i])
		r.Advice = fmt.Sprintf("Add the rule again, and let whatever tool owns the cluster's rules leave it alone; where it was taken away on purpose, say so: waive %q { reason = \"...\" }", NameFenceStands)
	}
	return r
}
