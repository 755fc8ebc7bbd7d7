package migration

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// drawn are the steps of a plan where the source has the topic that it is about.
func drawn(t *testing.T, p *plan.Plan) *graph.Graph {
	t.Helper()
	g, err := KnownGraph(p, state.State{Selection: &state.Selection{Topics: []string{"orders"}, Groups: []string{"g"}}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// What has begun decides which plans lead on from there.
func TestContinues(t *testing.T) {
	shop, start := graph.ServiceAddress("shop", "stop"), graph.MirrorAddress("", "start")
	ignoring := `groups {
    include = ["g"]
    group "g" {
      ignore "orders.late" { reason = "it is read no more" }
    }
  }`
	begun := func(status state.Status, addresses ...string) state.State {
		st := state.State{Steps: map[string]state.StepState{}}
		for _, at := range addresses {
			st.Steps[at] = state.StepState{Status: status, Attempt: 1}
		}
		return st
	}
	with := func(st state.State, change func(*state.State)) state.State { change(&st); return st }
	other := func(st *state.State) { st.Scheme = "production_later" }
	ended := func(outcome string) func(*state.State) {
		return func(st *state.State) { st.Ended = &state.RunEnded{Outcome: outcome} }
	}
	for name, c := range map[string]struct {
		st   state.State
		plan []string
		want string // "": it may go on
	}{
		"nothing has begun":            {with(state.State{}, other), []string{writer}, ""},
		"everything is done":           {with(begun(state.Done, shop), ended(OutcomeDone)), []string{reader, grouped}, ""},
		"the run has failed":           {with(begun(state.Done, shop), ended("failed")), []string{reader, grouped}, "no longer has steps that have begun: " + shop},
		"the step is gone":             {begun(state.Done, shop), []string{reader, grouped}, "no longer has steps that have begun: " + shop},
		"begun, and no more is known":  {begun(state.Running, shop), []string{reader, grouped}, "no longer has steps"},
		"the step is there":            {begun(state.Done, shop), []string{writer, reader, grouped}, ""},
		"it was given back":            {begun(state.Reset, shop), []string{reader, grouped}, ""},
		"a restore is no step":         {begun(state.Done, shop+".restore"), []string{reader, grouped}, ""},
		"a topic that is created":      {begun(state.Done, graph.TopicAddress("gone", "")), []string{reader, grouped}, ""},
		"another scheme":               {with(begun(state.Done, shop), other), []string{writer}, `has begun with scheme "production_later"`},
		"a mirror behind the services": {begun(state.Done, shop), []string{writer, reader, grouped, copies}, "cannot be copied behind what they write"},
		"the mirror is under way":      {begun(state.Done, shop, start), []string{writer, reader, grouped, copies}, ""},
		"the mirror is gone":           {begun(state.Done, start), []string{writer, reader, grouped}, "no longer has steps that have begun: " + start},
		"a topic that is read no more": {begun(state.Done, graph.TopicAddress("orders.late", "boundary")), []string{reader, ignoring}, ""},
		"a topic that is left out":     {begun(state.Done, graph.TopicAddress("orders.late", "boundary")), []string{reader, grouped}, "no longer has steps"},
		"a topic behind the placement": {placed("others"), []string{writer, reader, grouped}, `group "g" has got topic "orders" after its offsets were placed`},
		"the topics that were placed":  {placed("orders"), []string{writer, reader, grouped}, ""},
	} {
		p := planned(t, c.plan...)
		err := Continues(c.st, p, drawn(t, p))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Continues(begun(state.Done, shop), planned(t, reader, grouped), nil); err != nil {
		t.Errorf("a plan that does not fit has reasons of its own: %v", err)
	}
}

// placed is a state in which the offsets of a group on a topic are placed.
func placed(topic string) state.State {
	return state.State{Steps: map[string]state.StepState{
		graph.GroupAddress("g", "place"): {Status: state.Done, Attempt: 1, Facts: []byte(`{"placed": {"` + topic + `[0]": {"offset": 1}}}`)},
	}}
}

// Taken out: what an earlier apply has pinned, since a source forgets commits;
// the end of joining when a group is placed; the topic of which the plan says
// that nobody reads it, whose steps may then be gone (R3, R11).
func TestTopicThatIsReadNoMore(t *testing.T) {
	m := &plan.Migration{Services: []*plan.Service{{Name: "s", Groups: []plan.NamedRef{{Name: "g"}}, Consumes: []plan.NamedRef{{Name: "a"}}}}}
	st := state.State{Selection: &state.Selection{Reads: map[string][]string{"g": {"b"}}}, Steps: map[string]state.StepState{}}
	if d := cmp.Diff(map[string][]string{"g": {"b", "c"}}, pinnedReads(m, map[string][]string{"g": {"c"}}, st)); d != "" {
		t.Error(d)
	}
	st.Steps[graph.GroupAddress("g", "place")] = state.StepState{Status: state.Done}
	if d := cmp.Diff(map[string][]string{"g": {"b"}}, pinnedReads(m, map[string][]string{"g": {"c"}}, st)); d != "" {
		t.Errorf("it joined after the group was placed: %s", d)
	}
	m.Groups.Named = []plan.NamedGroup{{Name: "g", Ignore: []plan.IgnoredTopic{{Name: "b"}}}}
	if got := pinnedReads(m, nil, st); got != nil {
		t.Errorf("the plan says that it reads the topic no more: %v", got)
	}
}
