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
			return facts, passed(letters), r.spend(ctx, letters)
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
// given before do not count for the next time.
func (r *run) rejected(ctx context.Context, s *graph.Step, g *plan.Gate) error {
	noes := r.desk.waiting(state.VerbReject, s.Address)
	if len(noes) == 0 {
		return nil
	}
	for _, l := range r.desk.waiting(state.VerbApprove, s.Address) {
		if err := r.desk.settle(ctx, l, state.Void, g.Name+" was rejected"); err != nil {
			return err
		}
	}
	for _, l := range noes {
		if err := r.desk.settle(ctx, l, state.Effective, ""); err != nil {
			return err
		}
	}
	if err := r.mark(s, state.Reset, nil, nil); err != nil { // with what was said before
		return err
	}
	first := noes[0]
	return &RejectedError{Gate: s.Address, Who: first.Who, From: first.From, Reason: first.Reason}
}

// spend makes the approvals that opened the gate effective.
func (r *run) spend(ctx context.Context, letters []state.Request) error {
	for _, l := range letters {
		if r.standing(l.ID) == state.Effective {
			continue // by an earlier run
		}
		if err := r.desk.settle(ctx, l, state.Effective, ""); err != nil {
			return err
		}
	}
	return nil
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
	if strings.ContainsAny(address, `["`) {
		address = "'" + address + "'" // for a shell
	}
	args := []string{"approve", address}
	if several {
		args = append(args, "--as", a.Name)
	}
	return r.command(args...)
}
