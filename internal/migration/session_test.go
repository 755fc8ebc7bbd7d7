package migration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kplan/executor/state"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

func silent(string) {}

func begin(t *testing.T, dir string) *Session {
	t.Helper()
	h := another()
	s, err := Begin(t.Context(), state.NewFile(dir, time.Now), h, Author{Who: h.Who, Host: h.Host, Version: "1"}, "run", silent)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A run opens with what it is about, pins the selection once, and ends.
func TestSession(t *testing.T) {
	t.Parallel()
	st, dir := staged(t, writer), t.TempDir()
	assess := func(s *Session) *Assessment {
		r, err := Assess(t.Context(), st.plan, st.clusters, s.State)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	s := begin(t, dir)
	if err := s.Conclude(); err != nil || s.State.Serial != 0 {
		t.Errorf("a run that has not begun has ended: %v", err)
	}
	for run := 1; run <= 2; run++ {
		if run == 2 { // somebody has deleted it since
			if err := s.record(state.Record{Step: &state.Step{Address: graph.TopicAddress("orders", ""), Attempt: 1, Status: state.Done}}); err != nil {
				t.Fatal(err)
			}
		}
		before := s.State.Serial
		if err := s.Open(st.plan, st.clusters, assess(s)); err != nil {
			t.Fatal(err)
		}
		if s.State.Began == nil || s.State.PlanHash != st.plan.Hash() || s.State.Who != "an apply" || !slices.Equal(s.State.Selection.Topics, []string{"orders"}) {
			t.Errorf("run %d has opened with %+v", run, s.State)
		}
		if got := s.State.Steps[graph.TopicAddress("orders", "")].Status; run == 2 && got != state.Pending {
			t.Errorf("a topic that has to be made again is %s", got)
		}
		if records := s.State.Serial - before; run == 2 && records != 1 {
			t.Errorf("the second run has written %d records to open", records)
		}
		if err := s.End(); err != nil {
			t.Fatal(err)
		}
		s = begin(t, dir)
	}
	if err := s.Conclude(); err != nil || s.State.Ended == nil || s.State.Ended.Outcome != OutcomeDone {
		t.Errorf("it has ended with %+v, %v", s.State.Ended, err)
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
}

// A step that is done runs again where the diff wants its object changed.
func TestSessionReopens(t *testing.T) {
	topic, gone, shop := graph.TopicAddress("orders", ""), graph.TopicAddress("gone", ""), graph.ServiceAddress("shop", "stop")
	s := &Session{State: state.State{Steps: map[string]state.StepState{}}}
	for _, at := range []string{topic, gone, shop} {
		s.State.Steps[at] = state.StepState{Status: state.Done}
	}
	s.reopen(&Assessment{Doc: diff.Doc{Changes: []diff.Change{
		{Address: topic, Action: diff.Update}, {Address: gone, Action: diff.Run}, {Address: "new", Action: diff.Create},
	}}})
	for at, want := range map[string]state.Status{topic: state.Pending, gone: state.Done, shop: state.Done} {
		if got := s.State.Steps[at].Status; got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
	if len(s.State.Steps) != 3 {
		t.Errorf("a step that was never run is known: %v", s.State.Steps)
	}
}

// heldFor is a state whose lock somebody has for some tries.
type heldFor struct {
	state.Backend
	by    state.Holder
	tries int
}

func (h *heldFor) Acquire(ctx context.Context, mine state.Holder) (state.Session, error) {
	if h.tries--; h.tries >= 0 {
		return nil, &state.LockedError{Holder: h.by}
	}
	return h.Backend.Acquire(ctx, mine)
}

// Whoever has the lock for a moment is waited for; whoever applies is not.
func TestBeginWaitsForABriefHolder(t *testing.T) {
	brief := another()
	brief.Brief = true
	for by, waits := range map[state.Holder]bool{brief: true, another(): false} {
		b := &heldFor{Backend: state.NewFile(t.TempDir(), time.Now), by: by, tries: 2}
		s, err := Begin(t.Context(), b, another(), Author{}, "run", silent)
		var locked *state.LockedError
		if waits && err != nil || !waits && (!errors.As(err, &locked) || b.tries != 1) {
			t.Errorf("held briefly %v: %v after %d tries", by.Brief, err, 2-b.tries)
		}
		if err == nil {
			if err := s.End(); err != nil {
				t.Error(err)
			}
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	b := &heldFor{Backend: state.NewFile(t.TempDir(), time.Now), by: brief, tries: 1000}
	if _, err := Begin(ctx, b, another(), Author{}, "run", silent); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("an interrupt while it waits: %v", err)
	}
}

// A holder that died without letting go is named.
func TestBeginNamesTheDead(t *testing.T) {
	dir := t.TempDir()
	left := &leftBy{Backend: state.NewFile(dir, time.Now), dead: another()}
	var said []string
	s, err := Begin(t.Context(), left, another(), Author{}, "run", func(text string) { said = append(said, text) })
	if err != nil || len(said) != 1 || !strings.Contains(said[0], "an apply on elsewhere") || !strings.Contains(said[0], "without letting go") {
		t.Errorf("it says %q, %v", said, err)
	}
	if err := s.End(); err != nil {
		t.Error(err)
	}
}

// leftBy is a state whose last holder died.
type leftBy struct {
	state.Backend
	dead state.Holder
}

func (l *leftBy) Acquire(ctx context.Context, h state.Holder) (state.Session, error) {
	s, err := l.Backend.Acquire(ctx, h)
	return leftSession{s, &l.dead}, err
}

type leftSession struct {
	state.Session
	dead *state.Holder
}

func (l leftSession) Left() *state.Holder { return l.dead }
