package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/diff"
)

// session is the locked state of one apply.
type session struct {
	backend state.Backend
	held    state.Session
	run     string
	who     string
	host    string
	state   state.State
}

// begin takes the lock. Where a dead holder's lease has to run out, it says so
// and waits.
func (a *app) begin(ctx context.Context, p *plan.Plan, stderr io.Writer) (*session, error) {
	opts, err := crashes()
	if err != nil {
		return nil, err
	}
	opts = append(opts, state.OnWait(func(h state.Holder, left time.Duration) {
		fmt.Fprintf(stderr, "The state is locked by %s, who gives no sign of life; waiting up to %s for the lease to run out.\n", h, left.Round(time.Second)) // a note
	}))
	b, err := a.backend(ctx, p, p.State, opts...)
	if err != nil {
		return nil, err
	}
	s := &session{backend: b}
	s.who, s.host = whoami()
	if s.run, err = newRequestID(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if s.held, err = acquire(ctx, b, holder(s.who, s.host), stderr); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	s.state = s.held.State()
	if left := s.held.Left(); left != nil {
		fmt.Fprintf(stderr, "Note: the last kplan here (%s) ended without letting go of the lock; what it had under way is looked at again.\n", left) // a note
	}
	return s, nil
}

// briefPatience is for how long to wait for those that hold the lock briefly.
const briefPatience = 15 * time.Second

// acquire takes the lock. A worker of the mirror that begins has it for a
// moment: that one is waited for.
func acquire(ctx context.Context, b state.Backend, h state.Holder, stderr io.Writer) (state.Session, error) {
	began, told := time.Now(), false
	for ends := began.Add(briefPatience); ; {
		held, err := b.Acquire(ctx, h)
		var locked *state.LockedError
		if !errors.As(err, &locked) || !locked.Holder.Brief || time.Now().After(ends) {
			return held, err
		}
		if !told && time.Since(began) > 5*time.Second {
			told = true
			fmt.Fprintf(stderr, "The state is locked by %s, who needs it for a moment; waiting for that, %s at most.\n", locked.Holder, briefPatience) // a note
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(identifyPause):
		}
	}
}

// end lets go of the lock. One that is lost has nothing to let go of.
func (s *session) end() error {
	err := s.held.Release()
	var lost *state.LeaseLostError
	if errors.As(err, &lost) {
		err = nil
	}
	return errors.Join(err, s.backend.Close())
}

// inbox is what the engine sees of the session.
type inbox struct {
	state.Mailbox
	state.Session
}

var _ executor.Inbox = inbox{}

// record appends through the session's state.
func (s *session) record(records ...state.Record) error {
	for i := range records {
		records[i].Run = s.run
	}
	written, err := s.held.Append(records...)
	if err != nil {
		return err
	}
	for _, r := range written {
		s.state.Apply(r)
	}
	return nil
}

// open writes the records with which a run begins.
func (s *session) open(p *plan.Plan, c *clusters, r *review) error {
	if s.state.Began == nil {
		if err := s.record(state.Record{Begin: &state.Begin{Migration: p.Migration.Name, Source: c.source.ClusterID(), Target: c.target.ClusterID()}}); err != nil {
			return err
		}
	}
	began := state.RunBegan{PlanHash: p.Hash(), Scheme: string(p.Migration.Scheme.Kind), Who: s.who, Host: s.host, Version: version}
	if err := s.record(state.Record{RunBegan: &began}); err != nil {
		return err
	}
	sel := s.state.Selection
	now := state.Selection(r.selection)
	if sel == nil || !slices.Equal(sel.Topics, now.Topics) || !slices.Equal(sel.Groups, now.Groups) ||
		!maps.EqualFunc(sel.Reads, now.Reads, slices.Equal) ||
		!slices.Equal(sel.Principals, now.Principals) || !slices.Equal(sel.Quotas, now.Quotas) {
		return s.record(state.Record{Selection: &now})
	}
	return nil
}

// reopen lets the steps of topics, rules, quotas and users run again that the
// diff wants changed although they are done: somebody has changed the object
// since, or the plan.
func (s *session) reopen(r *review) {
	for _, c := range r.doc.Changes {
		step, known := s.state.Steps[c.Address]
		if known && (c.Action == diff.Create || c.Action == diff.Update) {
			step.Status = state.Pending
			s.state.Steps[c.Address] = step
		}
	}
}

// close ends a run that died after its last step.
func (s *session) close() error {
	if s.state.Began == nil || s.state.Ended != nil {
		return nil
	}
	return s.record(state.Record{RunEnded: &state.RunEnded{Outcome: outcomeDone}})
}
