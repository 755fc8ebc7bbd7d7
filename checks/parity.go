package checks

import (
	"fmt"
	"sort"
	"strings"

	"kplan/plan/diff"
)

// Parity judges each selected topic by the changes that apply would still
// make. Topics with differences that apply would not mend have their result in
// known already.
func Parity(topics []string, changes []diff.Change, known []Result) []Result {
	judged := map[string]bool{}
	for _, r := range known {
		if r.Name == NameParity {
			judged[r.Object.Name] = true
		}
	}
	open := map[string]diff.Change{}
	for _, c := range changes {
		if c.Object.Kind == "topic" && (c.Action == diff.Create || c.Action == diff.Update) {
			open[c.Object.Name] = c
		}
	}
	var all []Result
	for _, t := range topics {
		if _, changes := open[t]; judged[t] && !changes {
			continue
		}
		r := Result{
			Name: NameParity, Object: diff.Object{Kind: "topic", Name: t},
			Asked: "is the topic on the target as the plan wants it?", Verdict: diff.Pass, Saw: "as wanted",
		}
		if c, ok := open[t]; ok {
			r.Verdict, r.Advice = diff.Fail, "Run kplan diff, then kplan apply"
			r.Saw = "missing on the target"
			if c.Action == diff.Update {
				var keys []string
				for k := range c.After {
					keys = append(keys, fmt.Sprintf("%s is %s, wanted %s", k, c.Before[k], c.After[k]))
				}
				sort.Strings(keys)
				r.Saw = strings.Join(keys, ", ")
			}
		}
		all = append(all, r)
	}
	return all
}

// FromDiagnostics turns what the graph found wrong (an unknown reader, R11)
// into failed checks.
func FromDiagnostics(diags []diff.Diagnostic) []Result {
	var all []Result
	for _, d := range diags {
		if d.Severity != "error" {
			continue
		}
		all = append(all, Result{
			Name: NameReaders, Object: diff.Object{Kind: "plan", Name: d.Code}, Asked: "does the plan fit the clusters?",
			Verdict: diff.Fail, Saw: d.Summary + ": " + d.Detail,
		})
	}
	return all
}
