package diff

import "kplan/plan/graph"

// Left is what still has to move. The risks of a switch end with it: a
// diff after a finished apply must have nothing to say about them.
type Left struct{ topics, groups, services map[string]bool }

// LeftOf returns what the given steps (of Steps) still have to move.
func LeftOf(steps []Change) Left {
	l := Left{topics: map[string]bool{}, groups: map[string]bool{}, services: map[string]bool{}}
	for _, c := range steps {
		switch graph.Kind(c.After["step"]) {
		// The last steps of each kind of object: until then the risk stands.
		case graph.Release:
			l.topics[c.Object.Name] = true
		case graph.Place, graph.Vacate, graph.Works:
			l.groups[c.Object.Name] = true
		case graph.Stop, graph.Start:
			l.services[c.Object.Name] = true
		}
	}
	return l
}
