package state

import (
	"encoding/json"
	"time"

	"kplan/internal/cluster"
)

// StepState is what the journal says of one step.
type StepState struct {
	Status  Status
	Attempt int
	Facts   json.RawMessage
	Error   string
	At      time.Time // of the last change
}

// Flip is a side with its epoch.
type Flip struct {
	Side  cluster.Side
	Epoch int
}

// State is the fold over a journal. The zero value is that of a migration that
// has never been applied.
type State struct {
	Began     *Begin
	Serial    int64 // sequence number of the last record
	LastRun   string
	PlanHash  string
	Scheme    string
	Selection *Selection
	Steps     map[string]StepState
	Topics    map[string]Flip
	Groups    map[string]Flip
	Overrides map[string]Override // in force, by topic
	Owned     map[string]bool
	Fences    map[string]Fence             // standing, or meant to, by topic
	ACLs      map[cluster.ACL]bool         // that kplan has created on the target
	Quotas    map[cluster.QuotaEntity]bool // the same, of entities there
	Users     map[string]bool              // the same
	Answers   map[string]Answer            // by request: how far it has come
	Said      map[string]Answer            // steps that a person has said are done, until they pass or are reset
	Settings  map[string]string            // by ADDRESS.ATTRIBUTE
	Paused    *Answer                      // nil: nobody has paused
	Moved     *Moved                       // the last one
	Who       string                       // of the last run
	Epoch     int64                        // the highest in the journal
	Ended     *RunEnded                    // of the last run; nil while it runs or after a crash
	EndedAt   time.Time
}

// Replay folds records in order.
func Replay(records []Record) State {
	s := State{
		Steps:     map[string]StepState{},
		Topics:    map[string]Flip{},
		Groups:    map[string]Flip{},
		Overrides: map[string]Override{},
		Owned:     map[string]bool{},
		Fences:    map[string]Fence{},
		ACLs:      map[cluster.ACL]bool{},
		Quotas:    map[cluster.QuotaEntity]bool{},
		Users:     map[string]bool{},
		Answers:   map[string]Answer{},
		Said:      map[string]Answer{},
		Settings:  map[string]string{},
	}
	for _, r := range records {
		s.Apply(r)
	}
	return s
}

// Apply folds one more record into the state.
func (s *State) Apply(r Record) {
	s.Serial, s.Epoch = r.Seq, max(s.Epoch, r.Epoch)
	switch {
	case r.Begin != nil:
		s.Began = r.Begin
	case r.RunBegan != nil:
		s.LastRun, s.PlanHash, s.Scheme, s.Who, s.Ended = r.Run, r.RunBegan.PlanHash, r.RunBegan.Scheme, r.RunBegan.Who, nil
	case r.Selection != nil:
		s.Selection = r.Selection
	case r.Step != nil:
		s.applyStep(r)
	case r.Side != nil && r.Side.Topic != "":
		s.Topics[r.Side.Topic] = Flip{Side: r.Side.Side, Epoch: r.Side.Epoch}
	case r.Side != nil:
		s.Groups[r.Side.Group] = Flip{Side: r.Side.Side, Epoch: r.Side.Epoch}
	case r.Override != nil && r.Override.Restored:
		delete(s.Overrides, r.Override.Topic)
	case r.Override != nil:
		s.Overrides[r.Override.Topic] = *r.Override
	case r.Owned != nil && r.Owned.Not:
		delete(s.Owned, r.Owned.Topic)
	case r.Owned != nil:
		s.Owned[r.Owned.Topic] = true
	case r.Fence != nil && r.Fence.Lifted:
		delete(s.Fences, r.Fence.Topic)
	case r.Fence != nil:
		s.Fences[r.Fence.Topic] = *r.Fence
	case r.Granted != nil:
		s.applyGranted(*r.Granted)
	case r.Answer != nil:
		s.applyAnswer(*r.Answer)
	case r.Moved != nil:
		s.Moved = r.Moved
	case r.RunEnded != nil:
		s.Ended, s.EndedAt = r.RunEnded, r.At
	}
}

func (s *State) applyGranted(g Granted) {
	for _, a := range g.ACLs {
		own(s.ACLs, a, !g.Refused)
	}
	if g.Quota != nil {
		own(s.Quotas, *g.Quota, !g.Refused)
	}
	if g.User != "" {
		own(s.Users, g.User, !g.Refused)
	}
}

func own[K comparable](things map[K]bool, thing K, is bool) {
	if is {
		things[thing] = true
		return
	}
	delete(things, thing)
}

// applyAnswer keeps how far each request has come, and what the effective ones
// have changed.
func (s *State) applyAnswer(a Answer) {
	if a.ID != "" { // those of format 1 have none
		s.Answers[a.ID] = a
	}
	if a.Standing == Void {
		s.void(a)
	}
	if a.Standing != Effective {
		return
	}
	switch a.Verb {
	case VerbDone:
		s.Said[a.Address] = a
	case VerbPause:
		s.Paused = &a
	case VerbResume:
		s.Paused = nil
	case VerbSet:
		s.Settings[a.Address] = a.Value
	case VerbApprove, VerbReject, VerbAbort, VerbVerified:
	}
}

// void takes back what an effective request has changed.
func (s *State) void(a Answer) {
	switch {
	case a.Verb == VerbDone:
		delete(s.Said, a.Address)
	case a.Verb == VerbPause && s.Paused != nil && s.Paused.ID == a.ID:
		s.Paused = nil
	case a.Verb == VerbSet && s.Settings[a.Address] == a.Value:
		delete(s.Settings, a.Address)
	}
}

// applyStep keeps the facts of an earlier record of the step where the new one
// brings none: they say what was intended.
func (s *State) applyStep(r Record) {
	if r.Step.Status == Done || r.Step.Status == Reset {
		delete(s.Said, r.Step.Address)
	}
	facts := r.Step.Facts
	if facts == nil && r.Step.Status != Reset {
		facts = s.Steps[r.Step.Address].Facts
	}
	s.Steps[r.Step.Address] = StepState{
		Status: r.Step.Status, Attempt: r.Step.Attempt, Facts: facts, Error: r.Step.Error, At: r.At,
	}
}

// TopicSide is the topic's writing side; the source where nothing is recorded.
func (s State) TopicSide(topic string) cluster.Side {
	if f, ok := s.Topics[topic]; ok {
		return f.Side
	}
	return cluster.Source
}

// GroupSide is the group's owning side; the source where nothing is recorded.
func (s State) GroupSide(group string) cluster.Side {
	if f, ok := s.Groups[group]; ok {
		return f.Side
	}
	return cluster.Source
}
