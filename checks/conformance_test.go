package checks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// conforming is a cluster that bears everything, but for what is given.
func conforming(but map[cluster.Technique]cluster.Outcome) cluster.Conformance {
	c := cluster.Conformance{Cluster: "new", Topic: "_kplan.conformance.0815"}
	for _, t := range cluster.Techniques() {
		trial := cluster.Trial{Technique: t, Outcome: cluster.Holds, Saw: "as it should be"}
		if o, is := but[t]; is {
			trial.Outcome, trial.Saw = o, "something else"
		}
		c.Trials = append(c.Trials, trial)
	}
	return c
}

// loaded is a target that bore what was sent.
func loaded() cluster.Load {
	return cluster.Load{
		Cluster: "new", Topic: "_kplan.load.0815", Partitions: 6, Replicas: 3, Records: 20000, RecordSize: 1024,
		Wanted: 2 << 20, Achieved: 2 << 20, Took: 10 * time.Second, Slowest: 42 * time.Millisecond,
	}
}

// trials adds the checks of conformance and load to others, not passing.
func trials(all map[string]func() []checks.Result) map[string]func() []checks.Result {
	for _, t := range cluster.Techniques() {
		all["conformance."+string(t)] = func() []checks.Result {
			var shown []checks.Result
			for _, o := range []cluster.Outcome{cluster.Broken, cluster.Forbidden, cluster.Untried} {
				shown = append(shown, checks.Conformance(conforming(map[cluster.Technique]cluster.Outcome{t: o}))...)
			}
			return shown
		}
	}
	all[checks.NameLoad] = func() []checks.Result {
		slow, broken, nothing, left := loaded(), loaded(), loaded(), loaded()
		slow.Achieved /= 4
		broken.Failed = "NOT_ENOUGH_REPLICAS"
		nothing.Records, nothing.Failed = 0, "creating the scratch topic: POLICY_VIOLATION"
		left.Achieved, left.Left = 1, "TOPIC_AUTHORIZATION_FAILED"
		var shown []checks.Result
		for _, l := range []cluster.Load{slow, broken, nothing, left} {
			shown = append(shown, checks.Load(l, 1<<20, "measured for 10s"))
		}
		return shown
	}
	return all
}

func TestConformancePasses(t *testing.T) {
	for _, r := range append(checks.Conformance(conforming(nil)), checks.Load(loaded(), 1<<20, "stated"), checks.Load(loaded(), 0, "nothing is written")) {
		if r.Verdict != diff.Pass || r.Advice != "" {
			t.Errorf("%+v", r)
		}
	}
	c := conforming(nil)
	c.Left = "REQUEST_TIMED_OUT" // told with what was seen: a check that passes has no advice for anybody
	if got := checks.Conformance(c)[0]; got.Verdict != diff.Pass || !strings.Contains(got.Saw, "is still there (REQUEST_TIMED_OUT)") {
		t.Errorf("a topic that is left over is not told: %+v", got)
	}
}

// Which modes of the mirror remain without each technique.
func TestMirrorModes(t *testing.T) {
	got := map[string]string{"all": checks.MirrorModes(conforming(nil))}
	for _, technique := range cluster.Techniques() {
		got[string(technique)] = checks.MirrorModes(conforming(map[cluster.Technique]cluster.Outcome{technique: cluster.Broken}))
	}
	want := map[string]string{
		"all": "preserve and translate", "sequence": "no mirror", "duplicate": "no mirror", "order": "no mirror", "logend": "no mirror",
		"epoch": "preserve and translate, without a way back", "delete": "translate",
		"markers": "translate, and preserve where small gaps take empty transactions",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
