package migration

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kplan/executor/state"
	"kplan/plan/graph"
)

// Scope is what one apply is to carry out; the zero value: everything.
type Scope struct {
	Until   string // a phase or a gate, inclusive
	Service string // one that moves alone
}

// Of returns the steps of the scope.
func (s Scope) Of(g *graph.Graph) (graph.Part, error) {
	switch {
	case s.Until != "" && s.Service != "":
		return nil, errors.New("--until and --service: give one of them")
	case s.Until != "":
		return until(g, s.Until)
	case s.Service != "":
		return forService(g, s.Service)
	}
	return nil, nil
}

// Outcome is that of a run that has carried out its scope, and not yet the plan.
func (s Scope) Outcome() string {
	if s.Service != "" {
		return "done for service " + s.Service
	}
	return "done until " + s.Until
}

// Left are the steps of the scope that are still to be carried out, in an order in
// which they could run.
func (r *Assessment) Left(part graph.Part, st state.State) []*graph.Step {
	var left []*graph.Step
	for _, s := range r.Graph.Steps {
		if part.Has(s.Address) && st.Steps[s.Address].Status != state.Done {
			left = append(left, s)
		}
	}
	return left
}

// until returns the steps up to a phase or a gate, inclusive, as apply --until
// names it.
func until(g *graph.Graph, name string) (graph.Part, error) {
	var known, addresses []string
	for _, phase := range g.Phases() {
		if string(phase) == name {
			return g.Until(phase), nil
		}
		known = append(known, string(phase))
	}
	for _, s := range g.Steps {
		if s.Kind == graph.Gate {
			addresses = append(addresses, s.Address)
			if s.Gate == name {
				return g.Through(s.Address), nil
			}
		}
	}
	if address, ok := Resolve(name, addresses); ok {
		return g.Through(address), nil
	}
	return nil, fmt.Errorf("--until %q: want a phase or a gate of this plan, one of %s", name, strings.Join(append(known, addresses...), ", "))
}

// forService returns the steps with which a service moves, as apply --service names
// it. A service that has to move together with others is refused, with their names.
func forService(g *graph.Graph, name string) (graph.Part, error) {
	var known []string
	for i, w := range g.Waves {
		if !slices.Contains(w.Services, name) {
			known = append(known, w.Services...)
			continue
		}
		if len(w.Services) > 1 {
			others := slices.DeleteFunc(slices.Clone(w.Services), func(s string) bool { return s == name })
			return nil, fmt.Errorf("--service %q: it moves together with %s, since they share the writing of a topic or a group. Leave --service out", name, strings.Join(others, ", "))
		}
		return g.Moving(i + 1), nil
	}
	return nil, fmt.Errorf("--service %q: want a service of this plan that moves, one of %s", name, strings.Join(known, ", "))
}
