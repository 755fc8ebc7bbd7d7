package main

import (
	"fmt"
	"strings"
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
	want := map[string]state.Standing{"open": state.Accepted, "gone": state.Withdrawn, "unseen": requested}
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
		steps := []statusStep{{Status: "running"}, {Status: "done"}}
		if settleSteps(steps, c.ended, c.held); steps[0].Status != c.want || steps[1].Status != "done" {
			t.Errorf("ended %v, locked %v: %v, want %s", c.ended, c.held, steps, c.want)
		}
	}
}

// Workers that are dead are one line, and their old backlog is nobody's.
func TestWorkersThatAreShown(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var all []statusWorker
	for n := range 60 {
		all = append(all, statusWorker{ID: fmt.Sprint("dead", n), Lag: 1_000_000, Silent: true, At: at.Add(time.Duration(n) * time.Minute)})
	}
	all = append(all, statusWorker{ID: "alive", Host: "h", PID: 7, Partitions: 3, Lag: 5, Unknown: 1, Rate: 2e6, Stopped: []string{"t[1]: x"}, At: at, Maps: 3_400_000, MapsWhole: "why"})
	var b strings.Builder
	writeWorkers(&b, all)
	want := "mirror worker alive on h (process 7): 3 partitions, 5 records to copy and more in 1 partitions of which it is not known yet, 2.0 MB/s, at 2026-01-02T03:04:05Z\n" +
		"  offset maps take 3.4 MB: why\n" +
		"  STOPPED t[1]: x\n" +
		"60 mirror workers ended without a word, the last heard is dead59 on  (process 0) at 2026-01-02T04:03:05Z: apply and other workers forget them by themselves\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
