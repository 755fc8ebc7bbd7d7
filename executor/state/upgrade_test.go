package state_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
)

// A journal that kplan 0.1 has left in the middle of a run goes on.
func TestJournalOfFormat1(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "orders")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := mustRead(t, filepath.Join("testdata", "journal_v1.jsonl"))
	if err := os.WriteFile(journal(dir), old, 0o600); err != nil {
		t.Fatal(err)
	}
	b := state.NewFile(dir, clock)
	st := readState(t, b)
	said := st.Said["switch.service.warehouse.stop"]
	if st.Serial != 9 || st.Epoch != 0 || st.Who != "alice" || said.Who != "bob" || said.Standing != state.Effective || len(st.Answers) != 0 || st.Moved != nil {
		t.Errorf("read as %+v", st)
	}
	s := acquire(t, b, elsewhere("a"))
	if s.Epoch() != 1 {
		t.Errorf("the first epoch is %d", s.Epoch())
	}
	appendAll(t, s, state.Record{Owned: &state.Owned{Topic: "new"}})
	after := mustRead(t, journal(dir))
	if d := cmp.Diff(string(old), string(after[:len(old)])); d != "" {
		t.Errorf("what was written is not rewritten (-was +is):\n%s", d)
	}
	if d := cmp.Diff(`{"v":2,"seq":10,"at":"2026-03-01T12:00:00Z","epoch":1,"owned":{"topic":"new"}}`+"\n", string(after[len(old):])); d != "" {
		t.Errorf("and goes on in format 2 (-want +got):\n%s", d)
	}
	records, err := b.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Version != state.FormatVersion {
			t.Errorf("record %d is read as version %d", r.Seq, r.Version)
		}
	}
}

// Requests change the state by their standing, and what is void changes it back.
func TestAnswers(t *testing.T) {
	answer := func(id string, verb state.Verb, s state.Standing, address, value string) state.Record {
		return state.Record{Answer: &state.Answer{Request: state.Request{ID: id, Verb: verb, Address: address, Value: value, Who: "bob"}, Standing: s}}
	}
	st := state.Replay(nil)
	for _, step := range []struct {
		record state.Record
		paused bool
		value  string
		said   bool
	}{
		{answer("1", state.VerbPause, state.Accepted, "", ""), false, "", false},
		{answer("1", state.VerbPause, state.Effective, "", ""), true, "", false},
		{answer("2", state.VerbSet, state.Refused, "a.b", "x"), true, "", false},
		{answer("3", state.VerbSet, state.Effective, "a.b", "1"), true, "1", false},
		{answer("4", state.VerbSet, state.Effective, "a.b", "2"), true, "2", false},
		{answer("3", state.VerbSet, state.Void, "a.b", "1"), true, "2", false},
		{answer("5", state.VerbResume, state.Effective, "", ""), false, "2", false},
		{answer("4", state.VerbSet, state.Void, "a.b", "2"), false, "", false},
		{answer("6", state.VerbPause, state.Effective, "", ""), true, "", false},
		{answer("1", state.VerbPause, state.Void, "", ""), true, "", false},
		{answer("6", state.VerbPause, state.Void, "", ""), false, "", false},
		{answer("7", state.VerbDone, state.Effective, "step", ""), false, "", true},
		{answer("7", state.VerbDone, state.Void, "step", ""), false, "", false},
		{answer("8", state.VerbDone, state.Effective, "step", ""), false, "", true},
		{state.Record{Step: &state.Step{Address: "step", Status: state.Done}}, false, "", false},
	} {
		st.Apply(step.record)
		_, said := st.Said["step"]
		if (st.Paused != nil) != step.paused || st.Settings["a.b"] != step.value || said != step.said {
			t.Errorf("after %+v: paused by %v, settings %v, said %v", step.record, st.Paused, st.Settings, st.Said)
		}
	}
	if got := st.Answers["2"].Standing; got != state.Refused || len(st.Answers) != 8 {
		t.Errorf("answers %v", st.Answers)
	}
}
