package graph

import "slices"

// Part is some steps of a graph by their addresses, with each of them all that it
// needs; nil: the whole graph.
type Part map[string]bool

// Has reports whether a step belongs to the part.
func (p Part) Has(address string) bool { return p == nil || p[address] }

// Phases returns the phases that have steps, in their order.
func (g *Graph) Phases() []Phase { return g.phases() }

// Until returns the steps up to the end of a phase.
func (g *Graph) Until(phase Phase) Part {
	order := []Phase{Prepare, Mirror, Switch}
	last := slices.Index(order, phase)
	return g.part(func(s *Step) bool { return slices.Index(order, s.Phase) <= last })
}

// Through returns a step and all that it needs.
func (g *Graph) Through(address string) Part {
	return g.part(func(s *Step) bool { return s.Address == address })
}

// Moving returns the steps with which the services of a wave move (Step.Wave), and
// all that these need.
func (g *Graph) Moving(wave int) Part {
	return g.part(func(s *Step) bool { return wave > 0 && s.Wave == wave })
}

// part closes a choice of steps under what they need.
func (g *Graph) part(chosen func(*Step) bool) Part {
	p := Part{}
	for _, s := range slices.Backward(g.Steps) { // each behind what it needs
		if chosen(s) || p[s.Address] {
			p[s.Address] = true
			for _, need := range s.Needs {
				p[need] = true
			}
		}
	}
	return p
}
