package executor

import (
	"fmt"
	"slices"
	"strings"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// refusal says why a request cannot be, or "". It is asked once, when the
// request is first seen.
func (r *run) refusal(l state.Request) string {
	switch l.Verb {
	case state.VerbDone:
		return r.refuseDone(l.Address)
	case state.VerbApprove, state.VerbReject:
		return r.refuseWord(l)
	case state.VerbVerified:
		return r.refusePlan(l)
	case state.VerbSet:
		return r.refuseSetting(l)
	case state.VerbResume:
		if !r.isPaused() {
			return "nothing is paused"
		}
		return ""
	case state.VerbPause, state.VerbAbort:
		return ""
	}
	return fmt.Sprintf("this kplan does not know the verb %q: it was asked by a newer one", l.Verb)
}

func (r *run) isPaused() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Paused != nil
}

func (r *run) refuseDone(address string) string {
	if strings.HasSuffix(address, ".restore") {
		if r.status(address) != state.Failed {
			return fmt.Sprintf("no refused restore %s waits for anybody", address)
		}
		return ""
	}
	switch {
	case r.Graph.Step(address) == nil:
		return fmt.Sprintf("the plan has no step %s", address)
	case r.Graph.Step(address).Kind == graph.Gate:
		return fmt.Sprintf("%s is a gate, which opens when its conditions hold: approvals are given with %s", address, r.command("approve", address))
	case r.status(address) == state.Done && r.Graph.Step(address).Kind != graph.Boundary:
		return fmt.Sprintf("step %s has passed already", address)
	}
	return ""
}

// refusePlan refuses what was said with another plan in view.
func (r *run) refusePlan(l state.Request) string {
	if l.PlanHash != r.hash {
		return fmt.Sprintf("it was given for another plan (%s), and this apply carries out %s: look at kplan diff and say it again", shortHash(l.PlanHash), shortHash(r.hash))
	}
	return ""
}

func shortHash(hash string) string { return hash[:min(12, len(hash))] }

// refuseWord judges an approval or a rejection of a gate.
func (r *run) refuseWord(l state.Request) string {
	g := r.gate(l.Address)
	if g == nil {
		return fmt.Sprintf("the plan has no %s", l.Address)
	}
	if s := r.Graph.Step(l.Address); s == nil || r.status(l.Address) == state.Done && (r.entered(s) || r.desk.begun()) {
		why := fmt.Sprintf("%s has been passed already", l.Address)
		if l.Verb == state.VerbReject {
			why += fmt.Sprintf(": what is behind it is stopped with %s or %s", r.command("pause"), r.command("abort"))
		}
		return why
	}
	if l.Verb == state.VerbReject {
		return ""
	}
	if why := r.refusePlan(l); why != "" {
		return why
	}
	a, ok := Asked(g, l.As)
	if !ok {
		return fmt.Sprintf("%s has no approval %q", l.Address, l.As)
	}
	return r.refuseApproval(g, a, l)
}

// refuseApproval judges who gave it, and whether it is still fresh.
func (r *run) refuseApproval(g *plan.Gate, a plan.Approval, l state.Request) string {
	if len(a.From) > 0 && !slices.ContainsFunc(a.From, func(name string) bool { return isPerson(l.Who, name) }) {
		return fmt.Sprintf("approval %q is for %s to give, and not for %s", a.Name, strings.Join(a.From, ", "), l.Who)
	}
	if requester := r.requester(g.Name); a.Others && person(l.Who) == person(requester) {
		return fmt.Sprintf("%s has started the apply, and approval %q must come from somebody else", requester, a.Name)
	}
	if age := r.Clock.Now().Sub(l.At); a.Expires > 0 && age > a.Expires {
		return fmt.Sprintf("it was given %s ago and expires after %s", brief(age), brief(a.Expires))
	}
	return ""
}

// isPerson compares who acts with a name in the plan.
func isPerson(who, name string) bool { return who == name || person(who) == name }

// person is whom a CI system names in brackets, or the user: the same in a job
// and on a laptop.
func person(who string) string {
	if _, actor, named := strings.Cut(strings.TrimSuffix(who, ")"), " ("); named {
		return actor
	}
	return who
}

// Asked returns the approval of a gate that a person means: by its name, or the
// only one.
func Asked(g *plan.Gate, as string) (plan.Approval, bool) {
	if as == "" && len(g.Approvals) == 1 {
		return g.Approvals[0], true
	}
	i := slices.IndexFunc(g.Approvals, func(a plan.Approval) bool { return a.Name == as })
	if i < 0 {
		return plan.Approval{}, false
	}
	return g.Approvals[i], true
}

// gate returns the gate of an address, or nil.
func (r *run) gate(address string) *plan.Gate {
	for _, g := range r.Plan.Migration.Gates {
		if graph.GateAddress(g.Name) == address {
			return g
		}
	}
	return nil
}
