package migration

import (
	"kplan/checks"
	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

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
		if FenceIsSet(st, f.Topic) {
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

// FenceIsSet reports whether every broker has shown the topic's fence; else it
// was only begun.
func FenceIsSet(st state.State, topic string) bool {
	return st.Steps[graph.TopicAddress(topic, "fence")].Status == state.Done
}

// Fence is a fence that stands on the source.
type Fence struct {
	Topic string   `json:"topic"`
	Rules []string `json:"rules"` // that kplan has added
	Lift  []string `json:"lift"`  // what takes them away, in this order
}

// Fences are the fences of a state with what lifts them.
func Fences(p *plan.Plan, fences []state.Fence) []Fence {
	var all []Fence
	for _, f := range fences {
		doc := Fence{Topic: f.Topic, Rules: []string{}, Lift: append([]string{}, executor.LiftCommands(p.Migration.Source, f)...)}
		for _, list := range [][]cluster.ACL{f.Deny, f.Allow} {
			for _, a := range list {
				doc.Rules = append(doc.Rules, a.String())
			}
		}
		all = append(all, doc)
	}
	return all
}
