package migration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// Requested is the standing of a request that no apply has seen yet.
const Requested state.Standing = "requested"

// Requests makes what people ask of an apply, and says at once what it would say
// later.
type Requests struct {
	Plan    *plan.Plan
	State   state.State
	Command func(args ...string) string // what a person types
}

// Done says that a step, which waits for a person, is done.
func (q Requests) Done(step string) (state.Request, error) {
	address, known := Resolve(step, slices.Collect(maps.Keys(q.State.Steps)))
	r := state.Request{Verb: state.VerbDone, Address: address}
	if !known || !waits(address, q.State.Steps[address]) {
		return r, fmt.Errorf("step %s does not wait for anybody: %s", step, q.waiting())
	}
	return r, nil
}

// waits reports whether a step waits for a person: also a restore that was refused,
// to say that the service runs on the source again (R13).
func waits(address string, s state.StepState) bool {
	return s.Status == state.Parked || s.Status == state.Failed && IsRestore(address)
}

func (q Requests) waiting() string {
	text := ""
	for _, address := range slices.Sorted(maps.Keys(q.State.Steps)) {
		if waits(address, q.State.Steps[address]) {
			text += " " + address
		}
	}
	if text == "" {
		return "no step does. " + q.Command("status") + " shows where the migration stands"
	}
	return "these do:" + text
}

// Approve gives an approval of a gate; as says which one, where it has several.
func (q Requests) Approve(gate, as string) (state.Request, error) {
	g, err := q.gate(gate)
	if err != nil {
		return state.Request{}, err
	}
	r := state.Request{Verb: state.VerbApprove, Address: graph.GateAddress(g.Name), As: as}
	if len(g.Approvals) == 0 {
		return r, fmt.Errorf("%s asks for no approval: it opens when its conditions hold", r.Address)
	}
	var names []string
	for _, a := range g.Approvals {
		names = append(names, a.Name)
	}
	if _, ok := executor.Asked(g, as); !ok {
		if as == "" {
			return r, fmt.Errorf("%s asks for several approvals: say which one with --as, one of %s", r.Address, strings.Join(names, ", "))
		}
		return r, fmt.Errorf("%s has no approval %q: it has %s", r.Address, as, strings.Join(names, ", "))
	}
	status := q.State.Steps[r.Address].Status
	if (status == state.Parked || status == state.Running) && q.State.PlanHash != q.Plan.Hash() {
		return r, fmt.Errorf("the gate waits in an apply of plan %.12s, and the files here are plan %.12s: an approval counts for one plan only. Check out the plan that is applied, or apply this one", q.State.PlanHash, q.Plan.Hash())
	}
	return r, nil
}

// Reject closes a gate.
func (q Requests) Reject(gate, reason string) (state.Request, error) {
	g, err := q.gate(gate)
	if err != nil {
		return state.Request{}, err
	}
	return state.Request{Verb: state.VerbReject, Address: graph.GateAddress(g.Name), Reason: reason}, nil
}

// gate finds a gate by name or address.
func (q Requests) gate(name string) (*plan.Gate, error) {
	var names []string
	for _, g := range q.Plan.Migration.Gates {
		address := graph.GateAddress(g.Name)
		if _, meant := Resolve(name, []string{address}); meant || g.Name == name {
			return g, nil
		}
		names = append(names, address)
	}
	if len(names) == 0 {
		return nil, errors.New("the plan has no gates")
	}
	return nil, fmt.Errorf("the plan has no gate %q: it has %s", name, strings.Join(names, ", "))
}

// Steer asks something of the run as a whole: to pause, to resume, to abort.
func (q Requests) Steer(verb state.Verb, reason string) (state.Request, error) {
	r := state.Request{Verb: verb, Reason: reason}
	if verb == state.VerbResume && q.State.Paused == nil {
		return r, fmt.Errorf("nothing is paused. A pause that no apply has taken up yet is taken back with %s", q.Command("withdraw", "REQUEST"))
	}
	if verb == state.VerbAbort && (q.State.Began == nil || q.State.Ended != nil) {
		return r, errors.New("no apply runs: there is nothing to abort")
	}
	return r, nil
}

// Set changes a limit of a step or gate: ADDRESS.ATTRIBUTE=VALUE.
func (q Requests) Set(text string) (state.Request, error) {
	i := strings.LastIndexByte(text, '=')
	if i < 0 {
		return state.Request{}, fmt.Errorf("%s: want ADDRESS.ATTRIBUTE=VALUE", text)
	}
	r := state.Request{Verb: state.VerbSet, Address: text[:i], Value: text[i+1:]}
	g, err := KnownGraph(q.Plan, q.State)
	if err != nil {
		return r, err
	}
	if at := strings.LastIndexByte(r.Address, '.'); at >= 0 {
		if address, known := Resolve(r.Address[:at], g.Addresses()); known {
			r.Address = address + r.Address[at:]
		}
	}
	return r, executor.CheckSetting(g, r.Address, r.Value)
}

// Withdraw takes back a request that has not taken effect.
func Withdraw(ctx context.Context, b state.Backend, id string, command func(args ...string) string) error {
	err := b.Withdraw(ctx, id)
	switch {
	case errors.Is(err, state.ErrTaken):
		return fmt.Errorf("request %s has taken effect already and cannot be withdrawn", id)
	case errors.Is(err, state.ErrNoRequest):
		st, err := b.Read(ctx)
		if answer, known := st.Answers[id]; known && answer.Standing != state.Accepted {
			return fmt.Errorf("request %s cannot be withdrawn: it is %s already", id, answer.Standing)
		}
		return errors.Join(fmt.Errorf("the inbox has no request %s: %s shows what waits", id, command("status")), err)
	}
	return err
}

// answerWait is for how long is waited to hear what the apply that runs
// says of its request.
const answerWait = 5 * time.Second

// Heard waits a moment for what the apply that runs says; nil: none does, or it
// has said nothing yet.
func Heard(ctx context.Context, b state.Backend, id string) (*state.Answer, error) {
	holder, err := b.Holder(ctx)
	if err != nil || holder == nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	var last *state.Answer
	for {
		st, err := b.Read(ctx)
		if ctx.Err() != nil {
			return last, nil
		}
		if err != nil {
			return nil, err
		}
		if answer, ok := st.Answers[id]; ok {
			last = &answer
			if !immediate(answer.Verb) || answer.Standing != state.Accepted {
				return last, nil
			}
		}
		select {
		case <-ctx.Done():
			return last, nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// immediate reports whether a request has its effect as soon as it is accepted.
func immediate(v state.Verb) bool {
	switch v {
	case state.VerbPause, state.VerbResume, state.VerbAbort, state.VerbSet:
		return true
	case state.VerbDone, state.VerbApprove, state.VerbReject, state.VerbVerified:
	}
	return false
}
