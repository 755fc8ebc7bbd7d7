package executor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// gateFacts: who asked for the gate to be passed, and who has said that it may
// be.
type gateFacts struct {
	Requester string          `json:"requester"`
	Approved  []state.Request `json:"approved,omitempty"`
	Met       []GateCondition `json:"met,omitempty"`
}

// GateCondition is one thing that a gate waits for.
type GateCondition struct {
	Name    string `json:"name"` // as in the plan: max_lag, window, approval "sre"
	Met     bool   `json:"met"`
	Human   bool   `json:"human,omitempty"`   // a person has to act, waiting alone does not help
	Text    string `json:"text"`              // what is, or what is missing
	Command string `json:"command,omitempty"` // what the person types

	opens time.Time // when it will hold, where that is known
}

// RejectedError says that a person has closed a gate.
type RejectedError struct {
	Gate      string
	Who, From string
	Reason    string
}

func (e *RejectedError) Error() string {
	msg := fmt.Sprintf("%s was rejected by %s from %s", e.Gate, e.Who, e.From)
	if e.Reason != "" {
		msg += ": " + e.Reason
	}
	return msg + ". The next apply asks again"
}

// gateLooks is how many ticks pass between two looks at a gate: its conditions
// change slowly and cost requests to every group's coordinator.
const gateLooks = 5

// gate waits until every condition holds at one moment. Where a person is
// missing and nobody watches, or waiting has taken too long, it parks.
func gate(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	g := r.gate(s.Address)
	if g == nil {
		return nil, "", fmt.Errorf("this is a bug in kplan: step %s belongs to no gate of the plan", s.Address)
	}
	if r.entered(s) { // the gate came into the plan later, or a restore has reset it
		return nil, "open: what is behind it has begun", nil
	}
	facts := gateFacts{Requester: r.requester(g.Name), Approved: r.words(s.Address)}
	if err := r.mark(s, state.Running, facts, nil); err != nil {
		return nil, "", err
	}
	began := r.Clock.Now()
	held := &lagWatch{}
	for told := false; ; {
		if err := r.desk.open(ctx, r.end); err != nil {
			return nil, "", err
		}
		if err := r.rejected(ctx, s, g); err != nil {
			return nil, "", err
		}
		conditions, letters, err := r.judge(ctx, s, g, held)
		if err != nil {
			return nil, "", err
		}
		missing, human := unmet(conditions)
		if len(missing) == 0 {
			facts.Approved, facts.Met = letters, conditions
			if err := r.mark(s, state.Running, facts, nil); err != nil { // before the words are spent
				return nil, "", err
			}
			open, err := r.spend(ctx, s, letters)
			if err != nil {
				return nil, "", err
			}
			if open {
				return facts, passed(letters), nil
			}
			continue // a word was taken back at the last moment
		}
		limit := r.limit(s, g.Timeout)
		late := r.Clock.Now().Sub(began) >= limit
		event := r.atGate(s, conditions, began.Add(limit))
		if !r.waitsOn(missing, human, late, began.Add(limit)) {
			return nil, "", &errParked{event: event}
		}
		if human && !told {
			if err := r.mark(s, state.Parked, nil, nil); err != nil {
				return nil, "", err
			}
			r.emit(event)
			told = true
		}
		r.progress(s, StepProgress{Text: missing[0].Name + ": " + missing[0].Text})
		for range gateLooks {
			if err := r.tick(ctx); err != nil {
				return nil, "", err
			}
		}
	}
}

// waitsOn decides whether waiting makes sense: on a terminal for people and for
// what is known to come, however late; elsewhere only for what can come to hold
// in time.
func (r *run) waitsOn(missing []GateCondition, human, late bool, until time.Time) bool {
	scheduled := slices.ContainsFunc(missing, func(c GateCondition) bool { return !c.opens.IsZero() })
	if r.Waits {
		return !late || human || scheduled
	}
	tooLate := slices.ContainsFunc(missing, func(c GateCondition) bool { return c.opens.After(until) })
	return !late && !human && !tooLate
}

// requester is who started the apply that first came to the gate; before one
// did, whoever runs this one.
func (r *run) requester(name string) string {
	address := graph.GateAddress(name)
	if r.hasFacts(address) {
		var facts gateFacts
		if err := r.decode(address, &facts); err == nil && facts.Requester != "" {
			return facts.Requester
		}
	}
	return r.Who
}

// words are the approvals that the gate had when an earlier run was cut off
// behind it.
func (r *run) words(address string) []state.Request {
	var facts gateFacts
	if r.hasFacts(address) && r.decode(address, &facts) == nil {
		return facts.Approved
	}
	return nil
}

// rejected ends the wait when somebody has closed the gate. Approvals that were
// given before do not count for the next time: they are gone before the
// rejection is, so that a crash between the two leaves the rejection.
func (r *run) rejected(ctx context.Context, s *graph.Step, g *plan.Gate) error {
	noes := r.desk.waiting(state.VerbReject, s.Address)
	if len(noes) == 0 {
		return nil
	}
	if err := r.desk.void(ctx, state.VerbApprove, s.Address, g.Name+" was rejected"); err != nil {
		return err
	}
	requester := r.requester(g.Name)
	if err := r.mark(s, state.Reset, nil, nil); err != nil { // with what was said before
		return err
	}
	var rejected *RejectedError
	for _, l := range noes {
		took, err := r.desk.settle(ctx, l, state.Effective, "")
		if err != nil {
			return err
		}
		if took && rejected == nil {
			rejected = &RejectedError{Gate: s.Address, Who: l.Who, From: l.From, Reason: l.Reason}
		}
	}
	if rejected == nil { // withdrawn in time
		return r.mark(s, state.Running, gateFacts{Requester: requester}, nil)
	}
	return rejected
}

// spend makes the approvals that opened the gate effective. The gate stays shut
// when one of them has been withdrawn, or somebody has rejected it, since they
// were looked at. What is left over must not answer a later question.
func (r *run) spend(ctx context.Context, s *graph.Step, letters []state.Request) (open bool, err error) {
	if len(r.desk.waiting(state.VerbReject, s.Address)) > 0 {
		return false, nil
	}
	for _, l := range letters {
		if took, err := r.desk.settle(ctx, l, state.Effective, ""); err != nil || !took {
			return false, err
		}
	}
	return true, r.desk.void(ctx, state.VerbApprove, s.Address, "the gate has opened without it")
}

func passed(letters []state.Request) string {
	text := "passed"
	for i, l := range letters {
		if i == 0 {
			text += ", approved by "
		} else {
			text += " and "
		}
		text += l.Who
	}
	return text
}

func unmet(conditions []GateCondition) (missing []GateCondition, human bool) {
	for _, c := range conditions {
		if !c.Met {
			missing = append(missing, c)
			human = human || c.Human
		}
	}
	return missing, human
}

// atGate is what a person is told who waits at a gate.
func (r *run) atGate(s *graph.Step, conditions []GateCondition, until time.Time) StepParked {
	event := StepParked{Step: s, Conditions: conditions, Until: until, Command: r.command("apply")}
	missing, _ := unmet(conditions)
	var names []string
	for _, c := range slices.Backward(missing) {
		names = append(names, c.Name)
		if c.Human {
			event.Command = c.Command
		}
	}
	slices.Reverse(names)
	event.Instruction = "not met: " + strings.Join(names, ", ")
	return event
}

func (r *run) approveHint(address string, a plan.Approval, several bool) string {
	args := []string{"approve", address}
	if several {
		args = append(args, "--as", a.Name)
	}
	return r.command(args...)
}
