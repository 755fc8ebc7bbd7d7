package migration

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/diff"
)

// rowsOf are the changes of a diff that are to be made, without the steps.
func rowsOf(r *Assessment) []string {
	var all []string
	for _, c := range r.Doc.Changes {
		if c.Action == diff.Create || c.Action == diff.Update {
			all = append(all, string(c.Action)+" "+c.Address)
		}
	}
	return all
}

// One look says what is to be made and which steps there are, and writes nothing.
func TestAssess(t *testing.T) {
	t.Parallel()
	s := staged(t, writer)
	for range 2 { // the second would see what the first has written
		r, err := Assess(t.Context(), s.plan, s.clusters, state.State{})
		if err != nil {
			t.Fatal(err)
		}
		if got := rowsOf(r); !slices.Equal(got, []string{`create prepare.topic["orders"]`}) || r.Graph == nil || r.Graph.Step("switch.service.shop.stop") == nil {
			t.Errorf("to be made: %q; steps: %v", got, r.Graph)
		}
		if err := r.Blocked(); err != nil {
			t.Error(err)
		}
	}
	done := state.State{Steps: map[string]state.StepState{"switch.service.shop.stop": {Status: state.Done}}}
	r, err := Assess(t.Context(), s.plan, s.clusters, done)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(r.Doc.Changes, func(c diff.Change) bool { return c.Address == "switch.service.shop.stop" }) {
		t.Error("a step that is done is shown as one to come")
	}
}

// What has moved between the diff and the first write is listed, and nothing else.
func TestAgain(t *testing.T) {
	t.Parallel()
	s := staged(t, writer)
	assess := func(st state.State) *Assessment {
		r, err := Assess(t.Context(), s.plan, s.clusters, st)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := assess(state.State{})
	makeTopic(t, s.old, "others", 1) // which no pattern matches
	if _, err := r.Again(t.Context(), s.plan, s.clusters, state.State{}); err != nil {
		t.Errorf("a topic that is not the plan's: %v", err)
	}
	saved := r.Saved(s.plan, state.State{}, Author{}, time.Now())
	makeTopic(t, s.old, "orders.late", 1)
	makeTopic(t, s.anew, "orders", 2)
	_, err := r.Again(t.Context(), s.plan, s.clusters, state.State{})
	want := []string{`source topic "orders.late" has appeared`, `target topic "orders" has appeared`}
	var stale *StaleError
	if !errors.As(err, &stale) || !slices.Equal(stale.Moved, want) {
		t.Errorf("it has moved: %v", err)
	}
	if err := saved.Still(assess(state.State{}), s.plan); !errors.As(err, &stale) || !slices.Equal(stale.Moved, want) {
		t.Errorf("of the saved plan, it has moved: %v", err)
	}
	// One that kplan owns and that appears late is its own, asked for before it died.
	_, err = r.Again(t.Context(), s.plan, s.clusters, state.State{Owned: map[string]bool{"orders": true}})
	if !errors.As(err, &stale) || !slices.Equal(stale.Moved, want[:1]) {
		t.Errorf("with a topic of its own: %v", err)
	}
}

// A check that fails keeps apply from beginning, unless the plan waives it.
func TestBlocked(t *testing.T) {
	for name, c := range map[string]struct {
		doc  diff.Doc
		want string
	}{
		"a failed check":      {diff.Doc{Checks: []diff.Check{{Name: "x.y", Verdict: diff.Fail, Saw: "it is so", Advice: "Do this"}}}, "check x.y fails"},
		"one that is waived":  {diff.Doc{Checks: []diff.Check{{Name: "x.y", Verdict: diff.Fail, Waived: "we know"}}}, ""},
		"one that ended":      {diff.Doc{Checks: []diff.Check{{Name: "x.y", Verdict: diff.Error, Saw: "no answer"}}}, "check x.y fails"},
		"one that is unknown": {diff.Doc{Checks: []diff.Check{{Name: "x.y", Verdict: diff.Unknown}}}, ""},
		"a refused change":    {diff.Doc{Changes: []diff.Change{{Action: diff.Create, Address: "a", Broker: diff.Rejected, Reason: "no.", Advice: "write b"}}}, "refuse create a: no. What the plan can say: write b"},
	} {
		r := &Assessment{Doc: c.doc, Graph: drawn(t, planned(t, writer))}
		err := r.Blocked()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (&Assessment{}).Blocked() == nil {
		t.Error("a plan that does not fit the clusters may begin")
	}
}

// A cluster that cannot be read is a finding of verify, and not that all is well.
func TestVerify(t *testing.T) {
	t.Parallel()
	s := staged(t, writer)
	verify := func() Verdicts {
		v, err := Verify(t.Context(), s.plan, s.clusters, state.State{}, "config", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := verify(); v.Outcome != Differs || v.Summary["fail"] != 1 || v.Assessment == nil {
		t.Errorf("with a topic that is missing: %d, %v", v.Outcome, v.Checks)
	}
	makeTopic(t, s.anew, "orders", 2)
	if v := verify(); v.Outcome != Passed {
		t.Errorf("with what the plan wants: %d, %v", v.Outcome, v.Checks)
	}
	if err := s.anew.Kill(0); err != nil {
		t.Fatal(err)
	}
	v := verify()
	if v.Outcome == Passed || v.Assessment != nil || len(v.Checks) == 0 {
		t.Errorf("with a broker away: %d, %v", v.Outcome, v.Checks)
	}
	for _, c := range v.Checks { // waived, and what they kept from being asked is not known all the same
		s.plan.Migration.Waivers = append(s.plan.Migration.Waivers, plan.Waiver{Check: c.Name, Reason: "we know"})
	}
	if v := verify(); v.Outcome != Inconclusive {
		t.Errorf("with a broker away that is waived: %d, %v", v.Outcome, v.Checks)
	}
}

// Both names may lead to one cluster, and the state may be another's.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	s := staged(t, writer)
	var names []string // of the same addresses
	for _, at := range s.old.Bootstrap() {
		names = append(names, strings.Replace(at, "127.0.0.1", "localhost", 1))
	}
	if _, err := Open(t.Context(), plannedOn(t, s.old.Bootstrap(), names, writer)); err == nil || !strings.Contains(err.Error(), "are the same cluster") {
		t.Errorf("one cluster under two names: %v", err)
	}
	_, err := Open(t.Context(), planned(t, writer))
	if err == nil || !strings.Contains(err.Error(), `cluster "old"`) || !strings.Contains(err.Error(), `cluster "new"`) {
		t.Errorf("the problems of both: %v", err)
	}
	source, target := s.clusters.Source.ClusterID(), s.clusters.Target.ClusterID()
	for want, began := range map[string]*state.Begin{
		"":                                       {Migration: "orders", Source: source, Target: target},
		`is that of migration "invoices"`:        {Migration: "invoices", Source: source, Target: target},
		"from cluster gone to cluster " + target: {Migration: "orders", Source: "gone", Target: target},
		"from cluster " + source + " to cluster gone": {Migration: "orders", Source: source, Target: "gone"},
	} {
		err := s.clusters.Belongs(state.State{Began: began}, s.plan, "here")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v", began, err)
		}
	}
	if err := s.clusters.Belongs(state.State{}, s.plan, "here"); err != nil {
		t.Errorf("a state in which nothing has begun: %v", err)
	}
}
