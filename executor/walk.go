package executor

import (
	"context"
	"errors"

	"kplan/executor/state"
	"kplan/plan/graph"
)

// finished is what became of one step.
type finished struct {
	step *graph.Step
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
	results := make(chan finished)
	q := r.newQueue()
	stopping, pausing := false, false
	fail := func(err error) {
		stopping = true
		if result.Err == nil {
			result.Err = err
		}
	}
	for {
		if ctx.Err() != nil && !stopping {
			fail(context.Cause(ctx))
			r.emit(Noted{Text: ending(context.Cause(ctx))})
		}
		paused := r.desk.paused()
		if paused && !pausing && !stopping {
			r.emit(Pausing{Running: q.running()})
		}
		if pausing && !paused && !stopping {
			q.gatesAgain()
		}
		pausing = paused
		for !stopping && !pausing {
			unit := q.next()
			if unit == nil {
				break
			}
			go r.carryOut(ctx, unit, results)
		}
		if q.running() == 0 && (stopping || !pausing || !q.more()) {
			break
		}
		select {
		case f := <-results:
			q.over(f.step)
			if f.err == nil {
				q.passed(f.step)
			} else {
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
		case <-r.desk.changed: // paused or resumed
		case <-interrupted(ctx, stopping):
		}
	}
	r.count(&result, q.begun)
	return result
}

// errPeerFailed ends the waiting of steps when another one has failed. They
// have not failed themselves and are begun again by the next run.
var errPeerFailed = errors.New("another step failed")

// ending says why nothing new is begun.
func ending(cause error) string {
	why := "interrupted"
	if fatal(cause) {
		why = "the state is out of reach or in other hands"
	}
	return why + ": nothing new is begun, what is under way is brought to a safe end"
}

// interrupted is ctx.Done until it has been heard.
func interrupted(ctx context.Context, heard bool) <-chan struct{} {
	if heard {
		return nil
	}
	return ctx.Done()
}

func (r *run) note(f finished, result *Result) {
	var parked *errParked
	switch {
	case errors.As(f.err, &parked):
		r.parked.Store(true)
		result.Parked = append(result.Parked, parked.event)
		r.emit(parked.event)
	case errors.Is(f.err, errPeerFailed), errors.Is(f.err, ErrInterrupted), fatal(f.err):
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
		if begun[s.Address] || result.Err == nil || !r.Part.Has(s.Address) {
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

// carryOut runs one step, or several of a kind that go together.
func (r *run) carryOut(ctx context.Context, unit []*graph.Step, results chan<- finished) {
	if handle, ok := batches()[unit[0].Kind]; ok {
		for _, f := range r.batch(ctx, handle, unit) {
			results <- f
		}
		return
	}
	results <- r.step(ctx, unit[0])
}

// step runs one handler between its two journal records.
func (r *run) step(ctx context.Context, s *graph.Step) finished {
	handle, ok := handlers()[s.Kind]
	if !ok {
		return finished{step: s, err: &UnhandledError{Kind: s.Kind}}
	}
	begin := r.attempting(s)
	if err := r.record(state.Record{Step: &begin}); err != nil {
		return finished{step: s, err: err}
	}
	r.emit(StepStarted{Step: s, Attempt: begin.Attempt})
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
	return finished{step: s}
}

// attempting is the record with which an attempt begins.
func (r *run) attempting(s *graph.Step) state.Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started[s.Address] = r.Clock.Now()
	return state.Step{Address: s.Address, Attempt: r.state.Steps[s.Address].Attempt + 1, Status: state.Running}
}

// leave journals how a step was left. A step that only stopped waiting stays
// "running": the next run looks at the world again.
func (r *run) leave(s *graph.Step, err error) error {
	var parked *errParked
	var stray *StrayWriterError
	switch {
	case fatal(err), errors.Is(err, errPeerFailed), errors.Is(err, ErrInterrupted):
		return err
	case errors.As(err, &parked), errors.As(err, &stray) && stray.Command != "":
		return errors.Join(err, r.mark(s, state.Parked, nil, err))
	default:
		return errors.Join(err, r.mark(s, state.Failed, nil, err))
	}
}
