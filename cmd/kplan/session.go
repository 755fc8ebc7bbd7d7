package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/diff"
)

// session is the locked state of one apply.
type session struct {
	dir     string
	run     string
	lock    *state.Lock
	journal *state.Journal
	state   state.State
}

func (a *app) begin(p *plan.Plan, stderr io.Writer) (*session, error) {
	dir := a.stateDir(p)
	who, host := whoami()
	lock, err := state.Acquire(dir, state.Holder{Who: who, Host: host, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	if lock.Left != nil {
		fmt.Fprintf(stderr, "Note: the last kplan here (%s) ended without letting go of the lock; what it had under way is looked at again.\n", lock.Left) // a note
	}
	crash, err := crashAfter()
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	journal, st, err := state.Open(dir, time.Now, crash)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return nil, errors.Join(err, journal.Close(), lock.Release())
	}
	return &session{dir: dir, run: hex.EncodeToString(id), lock: lock, journal: journal, state: st}, nil
}

func (s *session) end() error { return errors.Join(s.journal.Close(), s.lock.Release()) }

// crashAfter returns what KPLAN_CRASH_AFTER asks for: kplan kills itself after
// that many journal records, as a power cut would. Tests use it.
func crashAfter() (func(int), error) {
	text := os.Getenv("KPLAN_CRASH_AFTER")
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("KPLAN_CRASH_AFTER=%q: want a number of journal records", text)
	}
	return func(records int) {
		if records >= n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // never returns
		}
	}, nil
}

// record appends through the session's state.
func (s *session) record(r state.Record) error {
	r.Run = s.run
	written, err := s.journal.Append(r)
	if err != nil {
		return err
	}
	s.state.Apply(written[0])
	return nil
}

// open writes the records with which a run begins.
func (s *session) open(p *plan.Plan, c *clusters, r *review) error {
	if s.state.Began == nil {
		if err := s.record(state.Record{Begin: &state.Begin{Migration: p.Migration.Name, Source: c.source.ClusterID(), Target: c.target.ClusterID()}}); err != nil {
			return err
		}
	}
	who, host := whoami()
	if err := s.record(state.Record{RunBegan: &state.RunBegan{PlanHash: p.Hash(), Scheme: string(p.Migration.Scheme.Kind), Who: who, Host: host, Version: version}}); err != nil {
		return err
	}
	sel := s.state.Selection
	if sel == nil || !slices.Equal(sel.Topics, r.selection.Topics) || !slices.Equal(sel.Groups, r.selection.Groups) {
		return s.record(state.Record{Selection: &state.Selection{Topics: r.selection.Topics, Groups: r.selection.Groups}})
	}
	return nil
}

// reopen lets the steps of topics run again that the diff wants changed although
// they are done: somebody has changed the topic since, or the plan.
func (s *session) reopen(r *review) {
	for _, c := range r.doc.Changes {
		step, known := s.state.Steps[c.Address]
		if known && c.Object.Kind == "topic" && (c.Action == diff.Create || c.Action == diff.Update) {
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
