package graph_test

import (
	"fmt"
	"math/rand"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/plan"
	"kplan/plan/graph"
)

// mesh returns a random plan. Topics are numbered; most services read lower
// and write higher ones, so that most meshes have an order; some do not.
func mesh(r *rand.Rand, scheme plan.SchemeKind) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scheme %s\n", scheme)
	phases := []string{"prepare", "switch"}
	if scheme == plan.ProductionFirst && r.Intn(2) == 0 {
		fmt.Fprintln(&b, "mirror")
		phases = append(phases, "mirror")
	}
	topics := 2 + r.Intn(6)
	for i := range 2 + r.Intn(6) {
		level := r.Intn(topics + 1)
		var in, out, groups []string
		for t := range topics {
			switch {
			case t < level && r.Intn(3) == 0:
				in = append(in, fmt.Sprintf("t%d", t))
			case t >= level && r.Intn(3) == 0:
				out = append(out, fmt.Sprintf("t%d", t))
			}
		}
		if len(out) > 0 && r.Intn(6) == 0 {
			in = append(in, out[0]) // a loop, inner or real
		}
		if len(in) > 0 {
			groups = append(groups, fmt.Sprintf("g%d", r.Intn(i+4)))
		}
		if len(in)+len(out) > 0 {
			fmt.Fprintf(&b, "service s%d: %s (%s) -> %s\n", i, strings.Join(in, " "), strings.Join(groups, " "), strings.Join(out, " "))
			if r.Intn(4) == 0 {
				fmt.Fprintf(&b, "manual s%d\n", i)
			}
			if r.Intn(4) == 0 {
				fmt.Fprintf(&b, "gate g%d before s%d\n", i, i)
				if r.Intn(4) == 0 {
					fmt.Fprintf(&b, "gate h%d before s%d\n", i, i)
				}
			}
		}
	}
	for i := range r.Intn(3) {
		if !strings.Contains(b.String(), "service") {
			break // a gate before nothing has no step
		}
		fmt.Fprintf(&b, "gate p%d before %s\n", i, phases[r.Intn(len(phases))])
	}
	return b.String()
}

// walk carries out all steps in a random topological order.
func walk(r *rand.Rand, in input, g *graph.Graph) error {
	var topics []string
	for _, s := range g.Steps {
		if s.Kind == graph.CreateTopic {
			topics = append(topics, s.Topic)
		}
	}
	sim := newSimulator(in, topics)
	waiting := map[string]int{}
	dependents := map[string][]*graph.Step{}
	var ready []*graph.Step
	for _, s := range g.Steps {
		waiting[s.Address] = len(s.Needs)
		for _, n := range s.Needs {
			dependents[n] = append(dependents[n], s)
		}
		if len(s.Needs) == 0 {
			ready = append(ready, s)
		}
	}
	for len(ready) > 0 {
		i := r.Intn(len(ready))
		s := ready[i]
		ready = append(ready[:i], ready[i+1:]...)
		if err := sim.step(s); err != nil {
			return fmt.Errorf("%s: %w", s.Address, err)
		}
		for _, d := range dependents[s.Address] {
			if waiting[d.Address]--; waiting[d.Address] == 0 {
				ready = append(ready, d)
			}
		}
	}
	return sim.finish()
}

// A gate stays a direct need of the first steps that it guards, so that they
// are its dependents: behind a phase these are the ones that wait for nothing
// else of it.
func TestGatesAreNeighbours(t *testing.T) {
	gates := 0
	for seed := range int64(300) {
		for _, scheme := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
			in := parse(t, mesh(rand.New(rand.NewSource(seed)), scheme))
			g, _ := in.build()
			if g == nil {
				continue
			}
			for _, gate := range in.m.Gates {
				gates++
				address := graph.GateAddress(gate.Name)
				if s := g.Step(address); s == nil || s.Before != gate.Before || len(g.Dependents(address)) == 0 {
					t.Fatalf("seed %d: the gate %s guards nothing\n%s", seed, gate.Name, g.DebugRepr())
				}
				if in.m.Service(gate.Before) == nil {
					continue
				}
				stop := g.Step(graph.ServiceAddress(gate.Before, "stop"))
				start := g.Step(graph.ServiceAddress(gate.Before, "start"))
				look := g.Step(graph.ServiceAddress(gate.Before, "caught_up")) // which stops nobody
				if !contains(stop.Needs, address) && !contains(start.Needs, address) && (look == nil || !contains(look.Needs, address)) {
					t.Fatalf("seed %d: %s is no neighbour of %s\n%s", seed, address, gate.Before, g.DebugRepr())
				}
			}
		}
	}
	if gates < 300 {
		t.Errorf("only %d gates: the test says little", gates)
	}
}

// Whatever the mesh, every order that the graph allows keeps the rules.
func TestEveryOrderKeepsTheRules(t *testing.T) {
	for _, scheme := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
		built := 0
		for seed := range int64(600) {
			r := rand.New(rand.NewSource(seed))
			text := mesh(r, scheme)
			in := parse(t, text)
			g, diags := in.build()
			if g == nil {
				if !strings.Contains(render(diags), "KP2001") {
					t.Fatalf("seed %d: no graph without a cycle:\n%s%s", seed, text, render(diags))
				}
				continue
			}
			built++
			for range 5 {
				if err := walk(r, in, g); err != nil {
					t.Fatalf("seed %d: %v\n%s\n%s", seed, err, text, g.DebugRepr())
				}
			}
		}
		if built < 200 {
			t.Errorf("%s: only %d of 600 meshes have an order: the test says little", scheme, built)
		}
	}
}

// A graph that lacks one class of edges is caught: the simulator would notice
// a Build that forgets it.
func TestEveryClassOfEdgesCounts(t *testing.T) {
	for _, scheme := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
		caught := map[string]bool{}
		for seed := range int64(400) {
			r := rand.New(rand.NewSource(seed))
			in := parse(t, mesh(r, scheme))
			g, _ := in.build()
			if g == nil {
				continue
			}
			for class := range classes(g) {
				for try := 0; try < 10 && !caught[class]; try++ {
					caught[class] = walk(r, in, lacking(g, class)) != nil
				}
			}
		}
		if len(caught) < 10 {
			t.Errorf("%s: only %d classes of edges seen", scheme, len(caught))
		}
		for class, ok := range caught {
			if !ok {
				t.Errorf("%s: nobody misses the edges %q", scheme, class)
			}
		}
	}
}

func classes(g *graph.Graph) map[string]bool {
	all := map[string]bool{}
	for _, s := range g.Steps {
		for _, n := range s.Needs {
			all[class(g.Step(n), s)] = true
		}
	}
	return all
}

func class(need, s *graph.Step) string { return fmt.Sprintf("%s before %s", need.Kind, s.Kind) }

// lacking copies the graph without one class of edges.
func lacking(g *graph.Graph, without string) *graph.Graph {
	var steps []*graph.Step
	for _, s := range g.Steps {
		c := *s
		c.Needs = nil
		for _, n := range s.Needs {
			if class(g.Step(n), s) != without {
				c.Needs = append(c.Needs, n)
			}
		}
		steps = append(steps, &c)
	}
	return &graph.Graph{Steps: steps, Waves: g.Waves}
}

// Build gives the same graph for the same plan, also when the services are
// declared in another order.
func TestBuildIsDeterministic(t *testing.T) {
	for seed := range int64(200) {
		r := rand.New(rand.NewSource(seed))
		in := parse(t, mesh(r, plan.ProductionFirst))
		first, diags := in.build()
		again, diagsAgain := in.build()
		if d := cmp.Diff(repr(first)+render(diags), repr(again)+render(diagsAgain)); d != "" {
			t.Fatalf("seed %d (-first +again):\n%s", seed, d)
		}
		r.Shuffle(len(in.m.Services), func(i, j int) {
			in.m.Services[i], in.m.Services[j] = in.m.Services[j], in.m.Services[i]
		})
		shuffled, _ := in.build()
		if d := cmp.Diff(edges(first), edges(shuffled)); d != "" {
			t.Fatalf("seed %d (-first +shuffled):\n%s", seed, d)
		}
	}
}

func repr(g *graph.Graph) string {
	if g == nil {
		return ""
	}
	return g.DebugRepr()
}

func edges(g *graph.Graph) []string {
	var all []string
	if g == nil {
		return nil
	}
	for _, s := range g.Steps {
		for _, n := range s.Needs {
			all = append(all, n+" -> "+s.Address)
		}
	}
	sort.Strings(all)
	return all
}

// Steps is a topological order, Needs has no edge that others imply, and the
// lookups agree with both.
func TestShapeOfTheGraph(t *testing.T) {
	for seed := range int64(200) {
		r := rand.New(rand.NewSource(seed))
		in := parse(t, mesh(r, plan.ProductionLater))
		g, _ := in.build()
		if g == nil {
			continue
		}
		ancestors := map[string]map[string]bool{}
		for _, s := range g.Steps {
			mine := map[string]bool{}
			for _, n := range s.Needs {
				if ancestors[n] == nil {
					t.Fatalf("seed %d: %s comes before its need %s", seed, s.Address, n)
				}
				if !contains(g.Dependents(n), s.Address) {
					t.Fatalf("seed %d: %s is no dependent of %s", seed, s.Address, n)
				}
				for a := range ancestors[n] {
					mine[a] = true
				}
			}
			for _, n := range s.Needs {
				if mine[n] {
					t.Fatalf("seed %d: the need %s of %s is implied by another", seed, n, s.Address)
				}
				mine[n] = true
			}
			ancestors[s.Address] = mine
		}
	}
}

func contains(all []string, one string) bool {
	for _, a := range all {
		if a == one {
			return true
		}
	}
	return false
}
