package migration

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
)

// Taken out: the look into the inbox for what the journal knows. What waits is
// shown however much has been dealt with since, and as what it is; what was
// withdrawn while no apply ran is not said to be accepted.
func TestRequestsThatAreShown(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	answers := map[string]state.Answer{}
	add := func(id string, age time.Duration, standing state.Standing) state.Request {
		r := state.Request{ID: id, Verb: state.VerbApprove, At: at.Add(-age)}
		answers[id] = state.Answer{Request: r, Standing: standing}
		return r
	}
	open := add("open", 48*time.Hour, state.Accepted)
	add("gone", time.Second, state.Accepted)
	for n := range lastRequests {
		add(fmt.Sprintf("old%d", n), time.Hour-time.Duration(n)*time.Minute, state.Effective)
	}
	unseen := state.Request{ID: "unseen", Verb: state.VerbPause, At: at}
	got := map[string]state.Standing{}
	for _, a := range requests(state.State{Answers: answers}, []state.Request{open, unseen}) {
		got[a.ID] = a.Standing
	}
	want := map[string]state.Standing{"open": state.Accepted, "gone": state.Withdrawn, "unseen": Requested}
	for n := 1; n < lastRequests; n++ {
		want[fmt.Sprintf("old%d", n)] = state.Effective
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A step is called running only while somebody runs it.
func TestStepsThatDoNotRun(t *testing.T) {
	for _, c := range []struct {
		ended, held bool
		want        string
	}{{false, true, "running"}, {true, false, "interrupted"}, {true, true, "interrupted"}, {false, false, "unknown"}} {
		steps := []StatusStep{{Status: "running"}, {Status: "done"}}
		if settleSteps(steps, c.ended, c.held); steps[0].Status != c.want || steps[1].Status != "done" {
			t.Errorf("ended %v, locked %v: %v, want %s", c.ended, c.held, steps, c.want)
		}
	}
}
