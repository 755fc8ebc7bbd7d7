package graph

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"kplan/plan"
)

// gates adds the plan's gates. Every other step must be there already.
//
// A gate before a phase waits for all steps of the phases before it, and all
// steps of the phase, and of the later ones, wait for it. A gate before a
// service waits for what the first step of the service waits for, and the
// service's steps wait for it; what follows from them does so through them. No
// cycle can come of that: whatever a gate waits for, a step behind it has
// waited for already.
//
// A gate that nothing would wait for has no step: its service has moved, or
// its phase has nothing to do.
func (b *builder) gates() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, g := range b.m.Gates {
		if !beforePhase(g) {
			diags = append(diags, b.serviceGate(g)...)
		}
	}
	for _, g := range b.m.Gates {
		if beforePhase(g) {
			b.phaseGate(g)
		}
	}
	return diags
}

func beforePhase(g *plan.Gate) bool { return slices.Contains(Phases(), Phase(g.Before)) }

func (b *builder) addGate(g *plan.Gate, phase Phase, wave int) string {
	return b.add(&Step{
		Address: GateAddress(g.Name), Kind: Gate, Phase: phase, Gate: g.Name, Before: g.Before,
		Conditions: g.Conditions(), Manual: len(g.Approvals) > 0, Wave: wave,
	})
}

func (b *builder) phaseGate(g *plan.Gate) {
	var before, behind []string
	for _, address := range sorted(b.steps) {
		switch s := b.steps[address]; {
		case s.Kind == Gate && s.Before == g.Before:
			// They stand beside each other.
		case phaseRank(s.Phase) < phaseRank(Phase(g.Before)):
			before = append(before, address)
		default:
			behind = append(behind, address)
		}
	}
	if len(behind) == 0 {
		return
	}
	gate := b.addGate(g, Phase(g.Before), 0)
	b.need(gate, before...)
	for _, address := range behind {
		b.need(address, gate)
	}
}

func (b *builder) serviceGate(g *plan.Gate) hcl.Diagnostics {
	if b.services[g.Before] == nil {
		return hcl.Diagnostics{problem("KP1803", hcl.DiagError, at(g.Range, b.m.Range), fmt.Sprintf(
			"The gate %q stands before %q, which is neither a phase with steps nor a service of this plan. Name one.", g.Name, g.Before))}
	}
	steps := b.stepsOf(g.Before)
	if len(steps) == 0 {
		return nil
	}
	first := b.steps[steps[0]]
	gate := b.addGate(g, first.Phase, first.Wave)
	mates := b.mates(g.Before)
	for _, need := range sorted(b.needs[first.Address]) {
		// What a person stops goes down before what a program stops. The gate
		// does not wait for that: a mate would be down while people decide.
		// Other gates before the service stand beside this one.
		if s := b.steps[need]; s != nil && s.Kind != Gate && (s.Kind != Stop || !mates[s.Service]) {
			b.need(gate, need)
		}
	}
	if b.behind[first.Address] {
		b.afterPrepare(gate)
	}
	for _, address := range steps {
		b.need(address, gate)
	}
	if first.Kind != Stop || len(mates) == 0 {
		return nil
	}
	return hcl.Diagnostics{problem("KP2009", hcl.DiagWarning, at(g.Range, b.m.Range), fmt.Sprintf(
		"The gate %q stands before the service %q, which moves together with %s. They do not wait for the gate: they stop, and stay stopped until it lets %q stop as well. "+
			"Put the gate before the phase switch, or make sure that it opens at once.",
		g.Name, g.Before, list(sorted(mates)), g.Before))}
}

// stepsOf returns the addresses of the steps that stop and start a service,
// the first one first.
func (b *builder) stepsOf(service string) []string {
	var all []string
	for _, verb := range []string{"stop", "start"} {
		if address := serviceAddress(service, verb); b.steps[address] != nil {
			all = append(all, address)
		}
	}
	if len(all) == 2 && b.reaches(all[0], all[1]) {
		all[0], all[1] = all[1], all[0]
	}
	return all
}

// mates returns the services that stop together with this one, without it.
func (b *builder) mates(service string) set {
	mates := set{}
	for _, members := range b.bundles(b.movingServices()) {
		if !toSet(members)[service] {
			continue
		}
		for _, m := range members {
			if m != service {
				mates[m] = true
			}
		}
	}
	return mates
}
