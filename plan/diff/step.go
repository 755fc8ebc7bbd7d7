package diff

import (
	"slices"
	"strconv"
	"strings"

	"kplan/plan/graph"
)

// Steps returns the steps of the graph that are no differences of objects, in
// the order of the graph: what kplan runs, what a person does, and the gates
// of all phases. A nil graph has none.
func Steps(g *graph.Graph) []Change {
	if g == nil {
		return nil
	}
	var all []Change
	for _, s := range g.Steps {
		if s.Phase == graph.Prepare && s.Kind != graph.Gate {
			continue
		}
		c := Change{
			Address: s.Address, Phase: s.Phase, Action: Run, Object: object(s), Broker: Unasked, Reason: s.Title(),
			After: map[string]string{"step": string(s.Kind)},
		}
		if s.Manual {
			c.Action = Human
		}
		if s.Kind == graph.Gate {
			c.Reason = waits(s)
			c.After["before"], c.After["conditions"] = s.Before, strings.Join(s.Conditions, "; ")
		}
		if s.Wave > 0 {
			c.After["wave"] = strconv.Itoa(s.Wave)
		}
		if s.Service != "" {
			c.After["side"] = s.Side.String()
		}
		for key, names := range map[string][]string{"topics": s.Topics, "inner": s.Inner, "owners": s.Owners, "principals": s.Principals} {
			if len(names) > 0 {
				c.After[key] = strings.Join(names, ",")
			}
		}
		all = append(all, c)
	}
	return all
}

// waits says in words what a gate waits for.
func waits(s *graph.Step) string {
	if len(s.Conditions) == 1 {
		return "waits for " + s.Conditions[0]
	}
	return "waits until all hold at once: " + strings.Join(s.Conditions, ", ")
}

func object(s *graph.Step) Object {
	switch {
	case s.Gate != "":
		return Object{"gate", s.Gate}
	case s.Service != "":
		return Object{"service", s.Service}
	case slices.Contains([]graph.Kind{graph.Drain, graph.Vacate, graph.Place, graph.Joined, graph.Works}, s.Kind): // by kind: a group may have the empty name
		return Object{"group", s.Group}
	case s.Topic == "":
		return Object{"mirror", "records"}
	default:
		return Object{"topic", s.Topic}
	}
}
