package graph

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"kplan/plan"
)

// scheme adds the steps and needs of one way to migrate.
type scheme func(*builder)

// schemes is the table of what is built: a new scheme is a file and a line.
func schemes() map[plan.SchemeKind]scheme {
	return map[plan.SchemeKind]scheme{
		plan.ProductionFirst: productionFirst,
		plan.ProductionLater: productionLater,
	}
}

// Build returns the steps that bring the migration from the current to the
// wanted sides. All problems are reported at once. The graph is nil when the
// steps have no order (a cycle) or no scheme; with other errors it is what
// could be built, good enough to be drawn and not to be run.
//
// What is already where it is wanted has no steps: of a topic whose writing
// side has flipped before, only the boundary is asked again, for readers that
// have stayed behind; its hold is to be found in the journal of the run that
// flipped it.
func Build(m *plan.Migration, sel Selection, current, wanted Sides) (*Graph, hcl.Diagnostics) {
	b := &builder{
		flow: newFlow(m), m: m, current: current,
		steps: map[string]*Step{}, needs: map[string]set{}, behind: set{},
	}
	diags := lint(b.flow, m, sel)
	idle := len(m.Services) == 0 && sel.Offline()
	if sel.Offline() {
		sel = literals(m)
	}
	add, ok := schemes()[m.Scheme.Kind]
	if !ok {
		return nil, append(diags, problem("KP2008", hcl.DiagError, at(m.Scheme.Range, m.Range),
			fmt.Sprintf("The scheme %q has no steps yet. Built are %s.", m.Scheme.Kind, builtSchemes())))
	}
	if back := backwards(b.flow, current, wanted); len(back) > 0 {
		return nil, append(diags, problem("KP2006", hcl.DiagError, m.Range,
			"Moving back to the source is not built yet; it was asked for "+strings.Join(back, ", ")+"."))
	}
	b.move(current, wanted)
	mingled := append(b.wave(), b.sharedPrincipals()...)
	b.prepare(sel)
	b.mirror(sel)
	add(b)
	b.copiedRest(sel)
	diags = append(diags, b.gates()...)
	b.caughtUpAgain()
	b.finish()

	if loops := b.loops(); len(loops) > 0 {
		return nil, append(diags, loops...)
	}
	steps := order(b.steps)
	if len(steps) < len(b.steps) {
		return nil, append(diags, b.stuck(steps))
	}
	reduce(steps)
	g := newGraph(steps, b.waves)
	g.idle = idle
	return g, append(diags, mingled...)
}

// stuck answers for a scheme whose own steps have no order, which no plan
// should be able to bring about. Running a part of them would be worse.
func (b *builder) stuck(ordered []*Step) *hcl.Diagnostic {
	left := set{}
	for address := range b.steps {
		left[address] = true
	}
	for _, s := range ordered {
		delete(left, s.Address)
	}
	return problem("KP2001", hcl.DiagError, b.m.Range, fmt.Sprintf(
		"These steps wait for each other: %s. The services are in order, so this is a fault of kplan: please report it with the plan.",
		strings.Join(sorted(left), ", ")))
}

func builtSchemes() string {
	var kinds []string
	for kind := range schemes() {
		kinds = append(kinds, string(kind))
	}
	return strings.Join(sorted(toSet(kinds)), ", ")
}

func toSet(names []string) set {
	s := set{}
	for _, n := range names {
		s[n] = true
	}
	return s
}
