package diff

import (
	"strconv"
	"strings"

	"kplan/plan/graph"
)

// Steps returns the steps of the graph that are no differences of objects, in
// the order of the graph: what kplan runs and what a person does. A nil graph
// has none.
func Steps(g *graph.Graph) []Change {
	if g == nil {
		return nil
	}
	var all []Change
	for _, s := range g.Steps {
		if s.Phase == graph.Prepare {
			continue
		}
		c := Change{
			Address: s.Address, Phase: s.Phase, Action: Run, Object: object(s), Broker: Unasked, Reason: s.Title(),
			After: map[string]string{"step": string(s.Kind)},
		}
		if s.Manual {
			c.Action = Human
		}
		if s.Wave > 0 {
			c.After["wave"] = strconv.Itoa(s.Wave)
		}
		if s.Service != "" {
			c.After["side"] = s.Side.String()
		}
		for key, names := range map[string][]string{"topics": s.Topics, "inner": s.Inner, "owners": s.Owners} {
			if len(names) > 0 {
				c.After[key] = strings.Join(names, ",")
			}
		}
		all = append(all, c)
	}
	return all
}

func object(s *graph.Step) Object {
	switch {
	case s.Service != "":
		return Object{"service", s.Service}
	case s.Group != "":
		return Object{"group", s.Group}
	default:
		return Object{"topic", s.Topic}
	}
}
