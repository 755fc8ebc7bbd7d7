package main

import (
	"fmt"
	"strings"

	"kplan/checks"
	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
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

// fenceChecks asks the source whether the fences that are still to be set would
// be an outage, or nothing.
func fenceChecks(source cluster.Access, m *plan.Migration, g *graph.Graph, st state.State, nodes []cluster.Node) []checks.Result {
	f := checks.Fencing{Migration: m, Topics: map[string][]string{}, Nodes: nodes}
	if g == nil {
		return nil
	}
	for _, s := range g.Steps {
		if s.Kind == graph.Fence && st.Steps[s.Address].Status != state.Done {
			f.Topics[s.Topic] = s.Principals
		}
	}
	if len(f.Topics) == 0 {
		return nil
	}
	f.Own = executor.FenceRules(st)
	f.Rules, f.RulesErr = source.ACLs, source.ACLsErr
	return checks.Fence(f)
}

// standingFences asks whether the source still has the fences that are set.
func standingFences(source cluster.Access, st state.State) []checks.Result {
	var set []state.Fence
	for _, f := range executor.Fences(st) {
		if fenceIsSet(st, f.Topic) {
			set = append(set, f)
		}
	}
	if len(set) == 0 {
		return nil
	}
	var all []checks.Result
	for _, f := range set {
		all = append(all, checks.Standing(f.Topic, f.Deny, source.ACLs, source.ACLsErr))
	}
	return all
}

// fenceIsSet reports whether every broker has shown the topic's fence; else it
// was only begun.
func fenceIsSet(st state.State, topic string) bool {
	return st.Steps[graph.TopicAddress(topic, "fence")].Status == state.Done
}
