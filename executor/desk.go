package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"kplan/executor/state"
)

// desk deals with what people ask for while a graph runs: it looks into the
// inbox, says of each request whether it can be, and carries out those that no
// step waits for. Steps ask it for the answers that they wait for.
type desk struct {
	r       *run
	changed chan struct{} // told when a pause begins or ends; holds one

	look sync.Mutex // one look, or one request settled, at a time

	mu      sync.Mutex // guards what follows
	letters []state.Request
	holds   bool // paused
	walking bool // the walk has begun
}

// AbortedError says that somebody has ended the run from elsewhere.
type AbortedError struct {
	Who, From string
	Reason    string
}

func (e *AbortedError) Error() string {
	msg := fmt.Sprintf("ended by %s from %s", e.Who, e.From)
	if e.Reason != "" {
		msg += ": " + e.Reason
	}
	return msg
}

// Is makes an abort an interrupt: nothing new is begun, and the next apply goes
// on.
func (e *AbortedError) Is(target error) bool { return target == ErrInterrupted }

// watch looks into the inbox for as long as the run goes on. stop ends the run.
func (d *desk) watch(ctx context.Context, stop func(error)) (ended <-chan struct{}) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		failing := false
		for d.r.tick(ctx) == nil {
			err := d.open(ctx, stop)
			switch {
			case err == nil:
				failing = false
			case ctx.Err() != nil:
				return
			case fatal(err):
				stop(err)
				return
			case !failing: // said once; the next look may fare better
				failing = true
				d.r.emit(Noted{Text: fmt.Sprintf("the inbox cannot be read just now: %v", err)})
			}
		}
	}()
	return over
}

// open looks into the inbox once.
func (d *desk) open(ctx context.Context, stop func(error)) error {
	d.look.Lock()
	defer d.look.Unlock()
	letters, err := d.r.Inbox.Requests(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // the look was cut off: the inbox is not to blame
	}
	if err != nil {
		return err
	}
	if err := d.missing(letters); err != nil {
		return err
	}
	waiting := letters[:0:0]
	for _, l := range letters {
		stays, err := d.deal(ctx, l, stop)
		if err != nil {
			return fmt.Errorf("dealing with the request %s (%s): %w", l.ID, l.Verb, err)
		}
		if stays {
			waiting = append(waiting, l)
		}
	}
	d.mu.Lock()
	d.letters = waiting
	d.mu.Unlock()
	return nil
}

// missing notes requests that were accepted and have been withdrawn since.
func (d *desk) missing(letters []state.Request) error {
	d.r.mu.Lock()
	var gone []state.Answer
	for id, a := range d.r.state.Answers {
		if a.Standing == state.Accepted && !slices.ContainsFunc(letters, func(l state.Request) bool { return l.ID == id }) {
			gone = append(gone, a)
		}
	}
	d.r.mu.Unlock()
	for _, a := range gone {
		if err := d.note(a.Request, state.Withdrawn, ""); err != nil {
			return err
		}
	}
	return nil
}

// deal judges one request. What stays is left to the step that waits for it.
func (d *desk) deal(ctx context.Context, l state.Request, stop func(error)) (stays bool, err error) {
	switch was := d.r.standing(l.ID); {
	case final(was): // cut off before it was cleared, or a late duplicate
		return false, d.r.Inbox.Clear(ctx, l.ID)
	case was == state.Accepted && isWord(l.Verb) && d.begun() && d.r.status(l.Address) == state.Done:
		_, err := d.conclude(ctx, l, state.Void, l.Address+" was passed before it counted")
		return false, err
	case was == state.Accepted:
		if l.Verb != state.VerbAbort && l.Verb != state.VerbPause && l.Verb != state.VerbResume && l.Verb != state.VerbSet {
			return true, nil
		}
	}
	if why := d.r.refusal(l); why != "" {
		return false, errors.Join(d.note(l, state.Refused, why), d.r.Inbox.Clear(ctx, l.ID))
	}
	if err := d.note(l, state.Accepted, ""); err != nil {
		return false, err
	}
	switch l.Verb {
	case state.VerbPause, state.VerbResume, state.VerbSet:
		_, err := d.conclude(ctx, l, state.Effective, "")
		return false, err
	case state.VerbAbort:
		if !d.begun() {
			_, err := d.conclude(ctx, l, state.Void, "the run that it was meant for has ended")
			return false, err
		}
		took, err := d.conclude(ctx, l, state.Effective, "")
		if took {
			stop(&AbortedError{Who: l.Who, From: l.From, Reason: l.Reason})
		}
		return false, err
	case state.VerbDone, state.VerbApprove, state.VerbReject, state.VerbVerified:
		return true, nil
	}
	return true, nil
}

// isWord reports whether a request is a word for a gate.
func isWord(v state.Verb) bool { return v == state.VerbApprove || v == state.VerbReject }

// settle ends a request that a step has waited for. took says whether it has
// come to that standing: one that was withdrawn meanwhile has not, which is no
// error. No look at the inbox is under way then, so that none brings a request
// back that is settled.
func (d *desk) settle(ctx context.Context, l state.Request, standing state.Standing, why string) (took bool, err error) {
	d.look.Lock()
	defer d.look.Unlock()
	return d.conclude(ctx, l, standing, why)
}

// conclude makes a request have its effect, or none: it cannot be withdrawn from
// here on. The caller holds look.
func (d *desk) conclude(ctx context.Context, l state.Request, standing state.Standing, why string) (took bool, err error) {
	defer func() {
		if err == nil {
			d.forget(l.ID)
		}
	}()
	if was := d.r.standing(l.ID); final(was) {
		return was == standing, nil // two steps may have waited for it
	}
	// Not cut off by an interrupt: what was half done would look like a state
	// that cannot be written.
	ctx = context.WithoutCancel(ctx)
	err = d.r.Inbox.Take(ctx, l.ID)
	if errors.Is(err, state.ErrNoRequest) {
		return false, d.note(l, state.Withdrawn, "")
	}
	if err != nil {
		return false, err
	}
	if err := d.note(l, standing, why); err != nil {
		return false, err
	}
	if standing == state.Effective {
		d.effect(l.Verb)
	}
	return true, d.r.Inbox.Clear(ctx, l.ID)
}

// forget takes a request out of those that steps wait for.
func (d *desk) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.letters = slices.DeleteFunc(slices.Clone(d.letters), func(w state.Request) bool { return w.ID == id })
}

// void ends the requests of a verb that a step has no use for any more.
func (d *desk) void(ctx context.Context, verb state.Verb, address, why string) error {
	for _, l := range d.waiting(verb, address) {
		if _, err := d.settle(ctx, l, state.Void, why); err != nil {
			return err
		}
	}
	return nil
}

// final reports whether nothing more becomes of a request.
func final(s state.Standing) bool {
	switch s {
	case state.Effective, state.Refused, state.Withdrawn, state.Void:
		return true
	case state.Accepted:
	}
	return false
}

// effect carries out what concerns the walk.
func (d *desk) effect(verb state.Verb) {
	d.mu.Lock()
	switch verb {
	case state.VerbPause:
		d.holds = true
	case state.VerbResume:
		d.holds = false
	case state.VerbDone, state.VerbApprove, state.VerbReject, state.VerbAbort, state.VerbSet, state.VerbVerified:
	}
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default: // it is told already
	}
}

// paused reports whether nothing new may begin.
func (d *desk) paused() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holds
}

// begun reports whether the walk has begun, which an abort is about.
func (d *desk) begun() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.walking
}

// begin is told that the walk begins, paused or not.
func (d *desk) begin(paused bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.walking, d.holds = true, paused
}

// note journals how far a request has come, and tells it.
func (d *desk) note(l state.Request, standing state.Standing, why string) error {
	l.Taken = false // that is the inbox's
	answer := state.Answer{Request: l, Standing: standing, Why: why}
	if err := d.r.record(state.Record{Answer: &answer}); err != nil {
		return err
	}
	d.r.emit(Answered{Answer: answer})
	return nil
}

// waiting returns the requests that steps wait for, oldest first.
func (d *desk) waiting(verb state.Verb, address string) []state.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []state.Request
	for _, l := range d.letters {
		if l.Verb == verb && l.Address == address {
			out = append(out, l)
		}
	}
	return out
}

// standing says how far the journal knows a request to be.
func (r *run) standing(id string) state.Standing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Answers[id].Standing
}

// answered reports whether somebody has said that the step is done, in this
// run, or in one that ended before the step had passed. Said twice is said
// once: nothing may be left to answer a later question.
func (r *run) answered(ctx context.Context, address string) (bool, error) {
	// A look of its own: a step may ask before the desk has looked for the first
	// time, and then park although the answer lies there.
	if err := r.desk.open(ctx, r.end); err != nil {
		return false, err
	}
	for _, l := range r.desk.waiting(state.VerbDone, address) {
		if _, err := r.desk.settle(ctx, l, state.Effective, ""); err != nil {
			return false, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, said := r.state.Said[address]
	return said, nil
}

// unanswered throws answers for a step away that was undone before anybody took
// them.
func (r *run) unanswered(ctx context.Context, address string) error {
	return r.desk.void(ctx, state.VerbDone, address, "the step was undone")
}
