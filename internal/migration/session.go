package migration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/diff"
)

// Session is the locked state of one apply. It is used by one goroutine.
type Session struct {
	Backend state.Backend
	Held    state.Session
	Run     string
	By      Author
	State   state.State // as it was read and recorded since
}

// OnWait makes a backend tell note of a dead holder whose lease has to run out.
func OnWait(note func(string)) state.Option {
	return state.OnWait(func(h state.Holder, left time.Duration) {
		note(fmt.Sprintf("The state is locked by %s, who gives no sign of life; waiting up to %s for the lease to run out.", h, left.Round(time.Second)))
	})
}

// Begin takes the lock of a state for one run. Where it has to wait for that, and
// where the last holder has died, note is told. On an error the backend is closed.
func Begin(ctx context.Context, b state.Backend, h state.Holder, by Author, run string, note func(string)) (*Session, error) {
	s := &Session{Backend: b, Run: run, By: by}
	var err error
	if s.Held, err = acquire(ctx, b, h, note); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	s.State = s.Held.State()
	if left := s.Held.Left(); left != nil {
		note(fmt.Sprintf("Note: the last kplan here (%s) ended without letting go of the lock; what it had under way is looked at again.", left))
	}
	return s, nil
}

const (
	briefPatience = 15 * time.Second       // for how long to wait for those that hold the lock briefly
	briefPause    = 250 * time.Millisecond // between two tries
	sayAfter      = 5 * time.Second        // how long a wait may be silent
)

// acquire takes the lock. A worker of the mirror that begins has it for a
// moment: that one is waited for.
func acquire(ctx context.Context, b state.Backend, h state.Holder, note func(string)) (state.Session, error) {
	began, told := time.Now(), false
	for ends := began.Add(briefPatience); ; {
		held, err := b.Acquire(ctx, h)
		var locked *state.LockedError
		if !errors.As(err, &locked) || !locked.Holder.Brief || time.Now().After(ends) {
			return held, err
		}
		if !told && time.Since(began) > sayAfter {
			told = true
			note(fmt.Sprintf("The state is locked by %s, who needs it for a moment; waiting for that, %s at most.", locked.Holder, briefPatience))
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(briefPause):
		}
	}
}

// End lets go of the lock and closes the state. A lock that is lost has nothing to
// let go of.
func (s *Session) End() error {
	err := s.Held.Release()
	var lost *state.LeaseLostError
	if errors.As(err, &lost) {
		err = nil
	}
	return errors.Join(err, s.Backend.Close())
}

// Inbox is what the engine sees of the session.
func (s *Session) Inbox() executor.Inbox { return inbox{s.Backend, s.Held} }

type inbox struct {
	state.Mailbox
	state.Session
}

// record appends through the session's state.
func (s *Session) record(records ...state.Record) error {
	for i := range records {
		records[i].Run = s.Run
	}
	written, err := s.Held.Append(records...)
	if err != nil {
		return err
	}
	for _, r := range written {
		s.State.Apply(r)
	}
	return nil
}

// Open writes the records with which a run begins, and has the steps run again of
// what the diff wants changed although they are done: somebody has changed the
// object since, or the plan.
func (s *Session) Open(p *plan.Plan, c *Clusters, r *Assessment) error {
	if s.State.Began == nil {
		if err := s.record(state.Record{Begin: &state.Begin{Migration: p.Migration.Name, Source: c.Source.ClusterID(), Target: c.Target.ClusterID()}}); err != nil {
			return err
		}
	}
	began := state.RunBegan{PlanHash: p.Hash(), Scheme: string(p.Migration.Scheme.Kind), Who: s.By.Who, Host: s.By.Host, Version: s.By.Version}
	if err := s.record(state.Record{RunBegan: &began}); err != nil {
		return err
	}
	if now := state.Selection(r.Selection); s.State.Selection == nil || !sameSelection(*s.State.Selection, now) {
		if err := s.record(state.Record{Selection: &now}); err != nil {
			return err
		}
	}
	s.reopen(r)
	return nil
}

func sameSelection(a, b state.Selection) bool {
	return slices.Equal(a.Topics, b.Topics) && slices.Equal(a.Groups, b.Groups) && maps.EqualFunc(a.Reads, b.Reads, slices.Equal) &&
		slices.Equal(a.Principals, b.Principals) && slices.Equal(a.Quotas, b.Quotas)
}

// reopen lets the steps of topics, rules, quotas and users run again that the
// diff wants changed although they are done.
func (s *Session) reopen(r *Assessment) {
	for _, c := range r.Doc.Changes {
		step, known := s.State.Steps[c.Address]
		if known && (c.Action == diff.Create || c.Action == diff.Update) {
			step.Status = state.Pending
			s.State.Steps[c.Address] = step
		}
	}
}

// Conclude ends a run that died after its last step, where there is nothing to do.
func (s *Session) Conclude() error {
	if s.State.Began == nil || s.State.Ended != nil {
		return nil
	}
	return s.record(state.Record{RunEnded: &state.RunEnded{Outcome: OutcomeDone}})
}
