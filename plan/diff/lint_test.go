package diff_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

func refs(names ...string) []plan.NamedRef {
	var all []plan.NamedRef
	for _, n := range names {
		all = append(all, plan.NamedRef{Name: n})
	}
	return all
}

func migration() *plan.Migration {
	return &plan.Migration{
		Scheme: plan.Scheme{Kind: plan.ProductionFirst, Fence: "none", QuietFor: 10 * time.Second, DrainTimeout: 2 * time.Hour},
		Services: []*plan.Service{
			{Name: "p", Produces: refs("keyed", "plain", "compacted")},
			{Name: "c", Consumes: refs("keyed"), Groups: refs("g")},
		},
	}
}

func observed() cluster.Snapshot {
	return cluster.Snapshot{
		Topics: topics(map[string]string{"keyed": "1 1", "plain": "1 1", "compacted": "1 1 cleanup.policy=compact", "unused": "1 1 cleanup.policy=compact"}),
		Groups: map[string]cluster.Group{"g": {Members: []cluster.Member{{Assigned: []cluster.TopicPartition{{Topic: "keyed"}}}}}},
		Keyed:  map[string]bool{"keyed": true, "unused": true},
	}
}

func TestLint(t *testing.T) {
	for _, test := range []struct {
		name   string
		edit   func(*plan.Migration, *cluster.Snapshot)
		codes  string
		checks string
	}{
		{name: "nothing", edit: func(*plan.Migration, *cluster.Snapshot) {}},
		{name: "order", codes: "KP3001", checks: "compacted keyed",
			edit: func(m *plan.Migration, _ *cluster.Snapshot) { m.Scheme.Kind = plan.ProductionLater }},
		{name: "order, waived", checks: "compacted(fine) keyed(fine)",
			edit: func(m *plan.Migration, _ *cluster.Snapshot) {
				m.Scheme.Kind = plan.ProductionLater
				m.Waivers = []plan.Waiver{{Check: "order.kept", Reason: "fine"}}
			}},
		{name: "short watch", codes: "KP3002",
			edit: func(m *plan.Migration, _ *cluster.Snapshot) { m.Scheme.QuietStated = true }},
		{name: "whole watch", edit: func(m *plan.Migration, _ *cluster.Snapshot) {
			m.Scheme.QuietStated, m.Scheme.QuietFor = true, diff.StragglerWatch
		}},
		{name: "share group", codes: "KP3004", edit: func(_ *plan.Migration, s *cluster.Snapshot) {
			s.Groups["g"] = cluster.Group{Type: cluster.GroupShare}
		}},
		{name: "a pattern subscriber", codes: "KP3005", edit: func(_ *plan.Migration, s *cluster.Snapshot) {
			s.Groups["g"].Members[0].Assigned = append(s.Groups["g"].Members[0].Assigned, cluster.TopicPartition{Topic: "plain"})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, source := migration(), observed()
			test.edit(m, &source)
			checks, diags := diff.LeftOf(diff.Steps(build(t, m, cluster.Source))).Lint(m, source)
			var codes, names []string
			for _, d := range diff.Diagnostics(diags) {
				codes = append(codes, d.Code)
				if d.Summary == "Problem without a description" || d.Detail == "" {
					t.Errorf("%s has no summary or detail", d.Code)
				}
			}
			for _, c := range checks {
				name := c.Object.Name
				if c.Waived != "" {
					name += "(" + c.Waived + ")"
				}
				names = append(names, name)
			}
			if d := cmp.Diff([]string{test.codes, test.checks}, []string{strings.Join(codes, " "), strings.Join(names, " ")}); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// build returns the graph that moves everything from the side to the target.
func build(t *testing.T, m *plan.Migration, from cluster.Side) *graph.Graph {
	t.Helper()
	g, diags := graph.Build(m, graph.Selection{}, graph.Everywhere(m, graph.Selection{}, from), graph.Everywhere(m, graph.Selection{}, cluster.Target))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return g
}

// Risks of the switch end with it: a diff after a finished apply is empty.
func TestNothingIsLeftToSayAfterwards(t *testing.T) {
	m, source := migration(), observed()
	m.Scheme.QuietStated = true
	source.Groups["g"] = cluster.Group{Type: cluster.GroupShare}
	target := cluster.Snapshot{Topics: topics(map[string]string{"keyed": "1 1 retention.ms=1"})}
	for _, kind := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
		m.Scheme.Kind = kind
		for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
			steps := diff.Steps(build(t, m, side))
			left := diff.LeftOf(steps)
			checks, diags := left.Lint(m, source)
			checks = append(checks, left.Retention(m, target, nil)...)
			said := len(checks) > 0 && len(diags) > 0 && len(left.Notes(m)) > 0 && len(steps) > 0
			silent := len(checks)+len(diags)+len(left.Notes(m))+len(steps) == 0
			if (side == cluster.Source && !said) || (side == cluster.Target && !silent) {
				t.Errorf("%s from the %s: %d checks, %d diagnostics, %d notes, %d steps",
					kind, side, len(checks), len(diags), len(left.Notes(m)), len(steps))
			}
		}
	}
}

func TestInheritedIsOneLinePerKey(t *testing.T) {
	m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "*"), Parity: plan.Parity{Ignore: []string{"flush.ms"}}}}
	source := cluster.Snapshot{Topics: topics(map[string]string{
		"a": "1 1 ~unclean.leader.election.enable=true ~segment.bytes=5 ~flush.ms=1 retention.ms=5",
		"b": "1 1 ~unclean.leader.election.enable=true ~segment.bytes=5 ~message.timestamp.difference.max.ms=9",
		"c": "1 1 unclean.leader.election.enable=true ~segment.bytes=5",
	})}
	target := cluster.Snapshot{
		Topics: topics(map[string]string{"a": "1 1 ~unclean.leader.election.enable=false ~segment.bytes=5 retention.ms=5 ~flush.ms=2"}),
		Defaults: defaults("unclean.leader.election.enable=false", "segment.bytes=5",
			"message.timestamp.before.max.ms=9", "message.timestamp.after.max.ms=3"),
	}
	var got []string
	changes, notes := diff.Apart(diff.Inherited(m, source, target))
	for _, n := range notes {
		got = append(got, n.Object.Name+": "+n.Reason+": "+strings.Join(n.Topics, ","))
	}
	if len(changes) > 0 {
		t.Errorf("nothing is to be done, and still %+v", changes)
	}
	want := []string{
		"message.timestamp.after.max.ms: inherited and different: source 9, target 3: b",
		"unclean.leader.election.enable: inherited and different: source true, target false: a,b",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMoved(t *testing.T) {
	m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "*")}, Groups: plan.Groups{Include: patterns(t, "g*")}}
	at := func(id string, all map[string]string, groups ...string) cluster.Snapshot {
		s := cluster.Snapshot{ClusterID: id, Topics: topics(all), Groups: map[string]cluster.Group{}}
		for _, g := range groups {
			s.Groups[g] = cluster.Group{Type: cluster.GroupClassic}
		}
		return s
	}
	before := diff.Fingerprint(at("S", map[string]string{"a": "3 1 retention.ms=5 flush.ms=1", "b": "1 1"}, "g1", "g2"), at("T", nil), m)
	same := diff.Fingerprint(at("S", map[string]string{"a": "3 1 flush.ms=1 retention.ms=5 ~segment.bytes=4", "b": "1 1"}, "g2", "g1"), at("T", nil), m)
	if got := diff.Moved(before, same); got != nil {
		t.Errorf("nothing that counts has changed: %q", got)
	}
	after := diff.Fingerprint(
		at("S", map[string]string{"a": "4 1 retention.ms=6 segment.ms=1", "c": "1 1"}, "g2", "g3"),
		at("U", map[string]string{"a": "3 1"}), m)
	want := []string{
		`source group "g1" has gone`,
		`source group "g3" has appeared`,
		`source topic "a": flush.ms was unset (it was 1)`,
		`source topic "a": partitions 3 → 4`,
		`source topic "a": retention.ms 5 → 6`,
		`source topic "a": segment.ms was set to 1`,
		`source topic "b" has gone`,
		`source topic "c" has appeared`,
		`target cluster is another one: id T → U`,
		`target topic "a" has appeared`,
	}
	if d := cmp.Diff(want, diff.Moved(before, after)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Every failed check and every difference that stays has a way out.
func TestParityHasAdvice(t *testing.T) {
	m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "*")}}
	source := cluster.Snapshot{Topics: topics(map[string]string{"a": "3 2 retention.ms=5", "b": "1 1"})}
	target := cluster.Snapshot{Topics: topics(map[string]string{"a": "2 1 flush.ms=1", "b": "2 1"})}
	var saw []string
	for _, c := range diff.Parity(m, diff.Topics(m, source, target, nil, nil)) {
		saw = append(saw, c.Object.Name+": "+c.Saw)
		if c.Asked == "" || c.Advice == "" || c.Verdict != diff.Fail || c.Name != diff.CheckParity {
			t.Errorf("incomplete: %+v", c)
		}
	}
	want := []string{
		"a: partitions: 3 on the source, 2 on the target",
		"a: replication factor: 2 wanted, 1 on the target",
		"a: retention.ms: 5 wanted, nothing on the target",
		"a: flush.ms: 1 is set on the target only",
		"b: partitions: 1 on the source, 2 on the target",
	}
	if d := cmp.Diff(want, saw); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A group that has committed more than its topic holds is found before anything
// is stopped, with the command that helps; the plan may say that it has read
// everything.
func TestBeyondTheLogEnd(t *testing.T) {
	m := &plan.Migration{
		Source:   &plan.Cluster{Listener: plan.Listener{Bootstrap: []string{"a:1", "b:2"}}},
		Services: []*plan.Service{{Name: "c", Consumes: []plan.NamedRef{{Name: "t"}, {Name: "u"}}, Groups: []plan.NamedRef{{Name: "g x"}}}},
	}
	at := func(topic string, p int32) cluster.TopicPartition {
		return cluster.TopicPartition{Topic: topic, Partition: p}
	}
	source := cluster.Snapshot{
		Groups: map[string]cluster.Group{"g x": {Commits: map[cluster.TopicPartition]cluster.Commit{
			at("t", 0): {Offset: 11}, at("t", 1): {Offset: 10}, at("t", 2): {Offset: 900}, at("u", 0): {Offset: 3}, at("elsewhere", 0): {Offset: 99},
		}}},
		LogEnds: map[cluster.TopicPartition]cluster.LogEnds{
			at("t", 0): {LogEnd: 10}, at("t", 1): {LogEnd: 10}, at("t", 2): {LogEnd: 10}, at("u", 0): {LogEnd: 2}, at("elsewhere", 0): {LogEnd: 1},
		},
	}
	left := diff.LeftOf([]diff.Change{{Object: diff.Object{Kind: "group", Name: "g x"}, After: map[string]string{"step": string(graph.Place)}}})
	_, diags := left.Lint(m, source)
	if len(diags) != 1 || plan.CodeOf(diags[0]) != "KP3006" || diags[0].Severity != hcl.DiagError {
		t.Fatalf("%v", diags)
	}
	for _, want := range []string{
		"offset 11 on t[0]", "ends at 10", "2 more partitions", `beyond_end = "end"`,
		"kafka-consumer-groups.sh --bootstrap-server a:1,b:2 --group 'g x' --reset-offsets --to-latest --topic t:0,2 --topic u:0 --execute",
	} {
		if !strings.Contains(diags[0].Detail, want) {
			t.Errorf("%q does not say %q", diags[0].Detail, want)
		}
	}
	m.Source.SASL = &plan.SASL{} // the tool has to log in as well
	if _, diags := left.Lint(m, source); len(diags) != 1 || !strings.Contains(diags[0].Detail, " a:1,b:2 --command-config admin.properties --group 'g x' ") {
		t.Errorf("with a login: %v", diags)
	}
	m.Groups.Named = []plan.NamedGroup{{Name: "g x", BeyondEnd: "end"}}
	if _, diags := left.Lint(m, source); len(diags) > 0 {
		t.Errorf("the plan says what it means, and still %v", diags)
	}
	if _, diags := (diff.Left{}).Lint(m, source); len(diags) > 0 {
		t.Errorf("it has moved, and still %v", diags)
	}
}

// A topic whose newest record cannot be read is named, whatever the scheme; with
// production_later nobody knows whether its order matters.
func TestWhatCannotBeReadIsUnknown(t *testing.T) {
	source := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1", "b": "1 1"}), Unread: map[string]string{"a": "a[0]: its checksum is wrong"}}
	_, notes := diff.Apart(diff.UnreadNotes(source))
	if len(notes) != 1 || notes[0].Object.Name != "a" || !strings.Contains(notes[0].Reason, "its checksum is wrong") {
		t.Errorf("%+v", notes)
	}
	m := &plan.Migration{Scheme: plan.Scheme{Kind: plan.ProductionLater}}
	left := diff.LeftOf([]diff.Change{
		{Object: diff.Object{Kind: "topic", Name: "a"}, After: map[string]string{"step": string(graph.Release)}},
		{Object: diff.Object{Kind: "topic", Name: "b"}, After: map[string]string{"step": string(graph.Release)}},
	})
	asked, _ := left.Lint(m, source)
	if len(asked) != 1 || asked[0].Verdict != diff.Unknown || asked[0].Object.Name != "a" || !strings.Contains(asked[0].Saw, "its checksum is wrong") {
		t.Errorf("%+v", asked)
	}
}
