package migration

import (
	"strings"
	"testing"
	"time"

	"kplan/executor/state"
	"kplan/plan/graph"
)

const gated = `gate "cutover" {
    before = "switch"
    approval "lead" {}
    approval "sre" {}
  }
  gate "timed" {
    before  = "prepare"
    max_lag = 5
  }`

// What an apply would refuse later is refused at once, with what to type.
func TestRequests(t *testing.T) {
	p := planned(t, writer, gated)
	stop, cutover := graph.ServiceAddress("shop", "stop"), graph.GateAddress("cutover")
	st := state.State{PlanHash: "another plan", Steps: map[string]state.StepState{
		stop: {Status: state.Parked}, cutover: {Status: state.Parked},
		graph.ServiceAddress("there", "start"): {Status: state.Done}, graph.ServiceAddress("back", "start") + ".restore": {Status: state.Failed},
	}}
	mine := st
	mine.PlanHash = p.Hash()
	running := state.State{Began: &state.Begin{}, Paused: &state.Answer{}}
	ask := func(st state.State, make func(Requests) (state.Request, error)) (state.Request, error) {
		return make(Requests{Plan: p, State: st, Command: func(args ...string) string { return "kplan " + strings.Join(args, " ") }})
	}
	type asked func(Requests) (state.Request, error)
	done := func(step string) asked { return func(q Requests) (state.Request, error) { return q.Done(step) } }
	approve := func(gate, as string) asked {
		return func(q Requests) (state.Request, error) { return q.Approve(gate, as) }
	}
	steer := func(v state.Verb) asked {
		return func(q Requests) (state.Request, error) { return q.Steer(v, "why") }
	}
	set := func(text string) asked { return func(q Requests) (state.Request, error) { return q.Set(text) } }
	for name, c := range map[string]struct {
		st   state.State
		ask  asked
		want state.Request
		err  string
	}{
		"a step that waits":            {mine, done(stop), state.Request{Verb: state.VerbDone, Address: stop}, ""},
		"a restore that was refused":   {mine, done("switch.service.back.start.restore"), state.Request{Verb: state.VerbDone, Address: "switch.service.back.start.restore"}, ""},
		"a step that does not wait":    {mine, done("switch.service.there.start"), state.Request{}, "does not wait for anybody: these do: " + cutover},
		"a step that is not known":     {state.State{}, done("x"), state.Request{}, "no step does. kplan status shows"},
		"one of two approvals":         {mine, approve("cutover", "sre"), state.Request{Verb: state.VerbApprove, Address: cutover, As: "sre"}, ""},
		"which of two approvals":       {mine, approve(cutover, ""), state.Request{}, "say which one with --as, one of lead, sre"},
		"an approval that is none":     {mine, approve("cutover", "boss"), state.Request{}, `no approval "boss": it has lead, sre`},
		"a gate without approvals":     {mine, approve("timed", ""), state.Request{}, "asks for no approval"},
		"a gate that is none":          {mine, approve("nonsense", ""), state.Request{}, `no gate "nonsense": it has ` + cutover},
		"a gate of another plan":       {st, approve("cutover", "sre"), state.Request{}, "an approval counts for one plan only"},
		"a gate is rejected":           {mine, func(q Requests) (state.Request, error) { return q.Reject("cutover", "no") }, state.Request{Verb: state.VerbReject, Address: cutover, Reason: "no"}, ""},
		"a pause":                      {state.State{}, steer(state.VerbPause), state.Request{Verb: state.VerbPause, Reason: "why"}, ""},
		"nothing is paused":            {state.State{}, steer(state.VerbResume), state.Request{}, "kplan withdraw REQUEST"},
		"what is paused":               {running, steer(state.VerbResume), state.Request{Verb: state.VerbResume, Reason: "why"}, ""},
		"nothing runs":                 {state.State{}, steer(state.VerbAbort), state.Request{}, "nothing to abort"},
		"what runs":                    {running, steer(state.VerbAbort), state.Request{Verb: state.VerbAbort, Reason: "why"}, ""},
		"what has ended":               {state.State{Began: &state.Begin{}, Ended: &state.RunEnded{}}, steer(state.VerbAbort), state.Request{}, "nothing to abort"},
		"a limit":                      {mine, set("gate.timed.hold=2m"), state.Request{Verb: state.VerbSet, Address: "gate.timed.hold", Value: "2m"}, ""},
		"a limit without a value":      {mine, set("gate.timed.hold"), state.Request{}, "want ADDRESS.ATTRIBUTE=VALUE"},
		"a limit of what is not there": {mine, set("gate.nonsense.hold=2m"), state.Request{}, "nonsense"},
		"a value that is none":         {mine, set("gate.timed.hold=soon"), state.Request{}, "soon"},
	} {
		got, err := ask(c.st, c.ask)
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) || c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := (Requests{Plan: planned(t, writer)}).Approve("x", ""); err == nil || !strings.Contains(err.Error(), "no gates") {
		t.Errorf("a plan without gates: %v", err)
	}
}

// What has taken effect cannot be taken back, and what was never asked is said.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := state.NewFile(dir, time.Now)
	withdraw := func(id string) string {
		if err := Withdraw(t.Context(), b, id, func(args ...string) string { return "kplan " + args[0] }); err != nil {
			return err.Error()
		}
		return ""
	}
	r := state.Request{ID: "one", Verb: state.VerbPause, Who: "me", At: time.Now().UTC()}
	if err := b.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := withdraw("one"); got != "" {
		t.Errorf("what waits: %s", got)
	}
	if got := withdraw("one"); !strings.Contains(got, "the inbox has no request one: kplan status shows what waits") {
		t.Errorf("what is gone: %q", got)
	}
	s := begin(t, dir)
	if err := s.record(state.Record{Answer: &state.Answer{Request: r, Standing: state.Effective}}); err != nil {
		t.Fatal(err)
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	if got := withdraw("one"); !strings.Contains(got, "cannot be withdrawn: it is effective already") {
		t.Errorf("what has had its effect: %q", got)
	}
}
