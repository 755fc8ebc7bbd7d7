package graph

// Graph is the steps of a migration with their needs. It is immutable.
type Graph struct {
	Steps []*Step // a topological order, the same on every Build
	Waves []Wave  // in the order in which they move; Step.Wave is a position in it, from 1

	idle       bool // the plan has no services, and no cluster was asked
	index      map[string]*Step
	dependents map[string][]string
}

// Wave is the services that move together, because they share the writing of
// a topic or a group. Services are sorted.
type Wave struct {
	Services []string `json:"services"`
}

func newGraph(steps []*Step, waves []Wave) *Graph {
	g := &Graph{Steps: steps, Waves: waves, index: map[string]*Step{}, dependents: map[string][]string{}}
	for _, s := range steps {
		g.index[s.Address] = s
		for _, need := range s.Needs {
			g.dependents[need] = append(g.dependents[need], s.Address)
		}
	}
	return g
}

// Step returns the step of that address, or nil.
func (g *Graph) Step(address string) *Step { return g.index[address] }

// Dependents returns the addresses of the steps that need this one directly,
// in the order of Steps.
func (g *Graph) Dependents(address string) []string {
	return append([]string(nil), g.dependents[address]...)
}

// Addresses returns all addresses in the order of Steps.
func (g *Graph) Addresses() []string {
	all := make([]string, len(g.Steps))
	for i, s := range g.Steps {
		all[i] = s.Address
	}
	return all
}
