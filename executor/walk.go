package executor

import (
	"context"
	"errors"

	"kplan/executor/state"
	"kplan/plan/graph"
)

// maxParallel bounds how many steps are under way at once.
const maxParallel = 32

// finished is what became of one step.
type finished struct {
	step *graph.Step
	text string
	err  error
}

// errParked is returned by a handler that waits for a person.
type errParked struct{ event StepParked }

func (e *errParked) Error() string { return "waiting for a person: " + e.event.Instruction }

// walk begins every step whose needs have passed, in the order of the graph,
// until nothing is left or something has failed. Then it begins nothing more,
// waits for what is under way, and says what was skipped.
func (r *run) walk(ctx context.Context, watch <-chan error) Result {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result := Result{Total: len(r.Graph.Steps)}
	begun := map[string]bool{}
	results := make(chan finished)
	running := 0
	stopping := false
	fail := func(err error) {
		stopping = true
		if result.Err == nil {
			result.Err = err
		}
	}
	for {
		if ctx.Err() != nil && !stopping {
			fail(context.Cause(ctx))
			r.emit(Noted{Text: "interrupted: nothing new is begun, what is under way is brought to a safe end"})
		}
		for _, s := range r.Graph.Steps {
			if stopping || running >= maxParallel {
				break
			}
			if begun[s.Address] || r.status(s.Address) == state.Done || !r.ready(s) {
				continue
			}
			begun[s.Address] = true
			running++
			go func() { results <- r.step(ctx, s) }()
		}
		if running == 0 {
			break
		}
		select {
		case f := <-results:
			running--
			if f.err != nil {
				r.note(f, &result)
				var parked *errParked
				if !errors.As(f.err, &parked) {
					fail(f.err)
					cancel(errPeerFailed)
				}
			}
		case err := <-watch:
			watch = nil
			if err != nil {
				fail(err)
				cancel(errPeerFailed)
			}
		}
	}
	r.count(&result, begun)
	return result
}

// errPeerFailed ends the waiting of steps when another one has failed. They
// have not failed themselves and are begun again by the next run.
var errPeerFailed = errors.New("another step failed")

func (r *run) ready(s *graph.Step) bool {
	for _, need := range s.Needs {
		if r.status(need) != state.Done {
			return false
		}
	}
	return true
}

func (r *run) note(f finished, result *Result) {
	var parked *errParked
	switch {
	case errors.As(f.err, &parked):
		result.Parked = append(result.Parked, parked.event)
		r.emit(parked.event)
	case errors.Is(f.err, errPeerFailed), errors.Is(f.err, ErrInterrupted):
	default:
		failed := StepFailed{Step: f.step, Err: f.err}
		result.Failed = append(result.Failed, failed)
		r.emit(failed)
	}
}

// count fills in the totals and says which steps were not begun.
func (r *run) count(result *Result, begun map[string]bool) {
	for _, s := range r.Graph.Steps {
		if r.status(s.Address) == state.Done {
			result.Done++
			continue
		}
		if begun[s.Address] || result.Err == nil {
			continue
		}
		for _, need := range s.Needs {
			if r.status(need) != state.Done {
				r.emit(StepSkipped{Step: s, Because: need})
				break
			}
		}
	}
}

// step runs one handler between its two journal records.
func (r *run) step(ctx context.Context, s *graph.Step) finished {
	handle, ok := handlers()[s.Kind]
	if !ok {
		return finished{step: s, err: &UnhandledError{Kind: s.Kind}}
	}
	r.mu.Lock()
	attempt := r.state.Steps[s.Address].Attempt + 1
	r.started[s.Address] = r.Clock.Now()
	r.mu.Unlock()
	begin := state.Step{Address: s.Address, Attempt: attempt, Status: state.Running}
	if err := r.record(state.Record{Step: &begin}); err != nil {
		return finished{step: s, err: err}
	}
	r.emit(StepStarted{Step: s, Attempt: attempt})
	facts, text, err := handle(ctx, r, s)
	if err == nil {
		err = r.mark(s, state.Done, facts, nil)
	}
	if err != nil {
		return finished{step: s, err: r.leave(s, err)}
	}
	r.mu.Lock()
	took := r.Clock.Now().Sub(r.started[s.Address])
	r.mu.Unlock()
	r.emit(StepDone{Step: s, Text: text, Took: took})
	return finished{step: s, text: text}
}

// leave journals how a step was left. A step that only stopped waiting stays
// "running": the next run looks at the world again.
func (r *run) leave(s *graph.Step, err error) error {
	var parked *errParked
	var write *state.WriteError
	var stray *StrayWriterError
	switch {
	case errors.As(err, &write), errors.Is(err, errPeerFailed), errors.Is(err, ErrInterrupted):
		return err
	case errors.As(err, &parked), errors.As(err, &stray) && stray.Command != "":
		return errors.Join(err, r.mark(s, state.Parked, nil, err))
	default:
		return errors.Join(err, r.mark(s, state.Failed, nil, err))
	}
}
