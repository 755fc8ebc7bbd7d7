package main

import (
	"fmt"
	"strings"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
)

// fenceDoc is a fence that stands on the source, in documents.
type fenceDoc struct {
	Topic string   `json:"topic"`
	Rules []string `json:"rules"` // that kplan has added
	Lift  []string `json:"lift"`  // what takes them away, in this order
}

func fenceDocs(p *plan.Plan, fences []state.Fence) []fenceDoc {
	var all []fenceDoc
	for _, f := range fences {
		doc := fenceDoc{Topic: f.Topic, Rules: []string{}, Lift: some(executor.LiftCommands(p.Migration.Source, f))}
		for _, list := range [][]cluster.ACL{f.Deny, f.Allow} {
			for _, a := range list {
				doc.Rules = append(doc.Rules, a.String())
			}
		}
		all = append(all, doc)
	}
	return all
}

// writeFences lists what stands and how it is taken away.
func writeFences(b *strings.Builder, fences []fenceDoc) {
	for _, f := range fences {
		fmt.Fprintf(b, "topic %s: fence on the source (R8): %s\n", f.Topic, strings.Join(f.Rules, "; "))
	}
	if len(fences) > 0 {
		b.WriteString("A fence stays until you take it away. Keep it for as long as a stopped producer could come back on the source; the commands, in this order:\n")
	}
	for _, f := range fences {
		for _, command := range f.Lift {
			fmt.Fprintf(b, "  %s\n", command)
		}
	}
}
