package diff_test

import (
	"fmt"
	"math/rand"
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

func patterns(t testing.TB, texts ...string) []plan.Pattern {
	t.Helper()
	var all []plan.Pattern
	for _, text := range texts {
		p, err := plan.NewPattern(text, hcl.Range{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// topic reads "partitions rf key=value ...": a leading ~ marks an inherited
// config, a leading ? a sensitive one.
func topic(text string) cluster.Topic {
	fields := strings.Fields(text)
	var partitions, replicas int
	if _, err := fmt.Sscan(fields[0]+" "+fields[1], &partitions, &replicas); err != nil {
		panic(err)
	}
	t := cluster.Topic{Configs: map[string]cluster.Config{}}
	for i := range partitions {
		t.Partitions = append(t.Partitions, cluster.Partition{ID: int32(i), Replicas: make([]int32, replicas)})
	}
	for _, f := range fields[2:] {
		key, value, _ := strings.Cut(f, "=")
		c := cluster.Config{Value: value, Source: cluster.SourceTopic}
		if k, ok := strings.CutPrefix(key, "~"); ok {
			key, c.Source = k, cluster.SourceDefault
		}
		if k, ok := strings.CutPrefix(key, "?"); ok {
			key, c.Sensitive, c.Value = k, true, ""
		}
		t.Configs[key] = c
	}
	return t
}

func topics(texts map[string]string) map[string]cluster.Topic {
	all := map[string]cluster.Topic{}
	for name, text := range texts {
		t := topic(text)
		t.Name = name
		all[name] = t
	}
	return all
}

func defaults(names ...string) map[string]cluster.Config {
	all := map[string]cluster.Config{}
	for _, n := range names {
		key, value, _ := strings.Cut(n, "=")
		all[key] = cluster.Config{Value: value, Source: cluster.SourceDefault}
	}
	return all
}

func TestTopics(t *testing.T) {
	owned := map[string]bool{"t": true}
	for _, test := range []struct {
		name           string
		edit           func(*plan.Migration)
		source, target string // of topic t; target "" is absent
		defaults       []string
		owned          map[string]bool
		held           map[string]string
		want           string
	}{
		{name: "missing", source: "3 2 retention.ms=5 ~segment.bytes=9",
			want: "create 3/2 retention.ms=5"},
		{name: "missing, with factor, override and ignored config", source: "3 2 retention.ms=5 segment.bytes=9 flush.ms=1",
			edit: func(m *plan.Migration) {
				m.Topics.Parity = plan.Parity{ReplicationFactor: 3, Ignore: []string{"segment.bytes"}}
				m.Topics.Named = []plan.NamedTopic{{Name: "t", Config: map[string]string{"retention.ms": "7", "cleanup.policy": "compact"}}}
			},
			want: "create 3/3 cleanup.policy=compact flush.ms=1 retention.ms=7"},
		{name: "configs that the target does not know", source: "1 1 message.timestamp.difference.max.ms=5 message.format.version=2.8 strange=1",
			defaults: []string{"message.timestamp.before.max.ms=9", "message.timestamp.after.max.ms=9"},
			want: "create 1/1 message.timestamp.after.max.ms=5 message.timestamp.before.max.ms=5 strange=1" +
				" | note message.format.version is unknown to the target and has lost its meaning; it is left out" +
				" | note message.timestamp.difference.max.ms is unknown to the target; message.timestamp.before.max.ms and message.timestamp.after.max.ms take its value"},
		{name: "nothing known of the target, nothing guessed", source: "1 1 message.timestamp.difference.max.ms=5 message.format.version=2.8",
			want: "create 1/1 message.format.version=2.8 message.timestamp.difference.max.ms=5"},
		{name: "a target that still knows the old name", source: "1 1 message.format.version=2.8", defaults: []string{"message.format.version=3.0-IV1"},
			want: "create 1/1 message.format.version=2.8"},
		{name: "configs that mean the source's brokers, and sensitive ones", source: "1 1 leader.replication.throttled.replicas=0:1 ?secret=x",
			want: "create 1/1" +
				" | note leader.replication.throttled.replicas names replicas of the source's brokers; it is left out" +
				" | note secret is sensitive: the source does not tell its value, so it is left out"},
		{name: "equal", source: "3 2 retention.ms=5", target: "3 2 retention.ms=5", want: ""},
		{name: "lists have no order", source: "1 1 cleanup.policy=compact,delete", target: "1 1 cleanup.policy=delete,compact", want: ""},
		{name: "inherited values are nobody's wish", source: "1 1 ~retention.ms=5", target: "1 1 ~retention.ms=6", want: ""},
		{name: "not ours: reported", source: "3 2 retention.ms=5", target: "6 1 retention.ms=6 flush.ms=1",
			want: "partitions 6, want 3 stays | replication_factor 1, want 2 stays | config.retention.ms 6, want 5 stays | config.flush.ms 1, want  unwanted stays"},
		{name: "not ours, same effect by inheritance", source: "1 1 retention.ms=5", target: "1 1 ~retention.ms=5", want: ""},
		{name: "ours: altered, extended, unset; replicas stay", source: "3 2 retention.ms=5", target: "2 1 retention.ms=6 flush.ms=1", owned: owned,
			want: "update set retention.ms=5 delete flush.ms partitions 3 | partitions 2, want 3 altered | replication_factor 1, want 2 stays | config.retention.ms 6, want 5 altered | config.flush.ms 1, want  unwanted altered"},
		{name: "ours, set where it was inherited", source: "1 1 retention.ms=5", target: "1 1 ~retention.ms=5", owned: owned,
			want: "update set retention.ms=5 delete  partitions 0 | config.retention.ms 5, want 5 altered"},
		{name: "ours with too many partitions", source: "3 1", target: "4 1", owned: owned, want: "partitions 4, want 3 stays"},
		{name: "named: configs only", source: "3 1 retention.ms=5", target: "2 1 retention.ms=6 flush.ms=1",
			edit: func(m *plan.Migration) { m.Topics.Named = []plan.NamedTopic{{Name: "t"}} },
			want: "update set retention.ms=5 delete  partitions 0 | partitions 2, want 3 stays | config.retention.ms 6, want 5 altered | config.flush.ms 1, want  unwanted stays"},
		{name: "alter existing", source: "1 1 retention.ms=5", target: "1 1 retention.ms=6",
			edit: func(m *plan.Migration) { m.Topics.Parity.Existing = "alter" },
			want: "update set retention.ms=5 delete  partitions 0 | config.retention.ms 6, want 5 altered"},
		{name: "a recorded override is no drift", source: "1 1 retention.ms=5", target: "1 1 retention.ms=-1 retention.bytes=-1", owned: owned,
			held: map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}, want: ""},
		{name: "somebody changed an override", source: "1 1 retention.ms=5", target: "1 1 retention.ms=4", owned: owned,
			held: map[string]string{"retention.ms": "-1"},
			want: "update set retention.ms=5 delete  partitions 0 | config.retention.ms 4, want 5 altered"},
		{name: "ignored on the target only", source: "1 1", target: "1 1 flush.ms=1", owned: owned,
			edit: func(m *plan.Migration) { m.Topics.Parity.Ignore = []string{"flush.ms"} }, want: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "t")}}
			if test.edit != nil {
				test.edit(m)
			}
			source := cluster.Snapshot{Topics: topics(map[string]string{"t": test.source, "other": "1 1"})}
			target := cluster.Snapshot{Topics: topics(nil), Defaults: defaults(test.defaults...)}
			if test.target != "" {
				target.Topics = topics(map[string]string{"t": test.target})
			}
			got := diff.Topics(m, source, target, test.owned, map[string]map[string]string{"t": test.held})
			if d := cmp.Diff(test.want, describe(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func describe(changes []diff.TopicChange) string {
	var parts []string
	for _, c := range changes {
		switch c.Action {
		case diff.Create:
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("create %d/%d %s", c.Want.Partitions, c.Want.ReplicationFactor, pairs(c.Want.Configs))))
		case diff.Update:
			parts = append(parts, fmt.Sprintf("update set %s delete %s partitions %d", pairs(c.Set), strings.Join(c.Delete, ","), c.Partitions))
		}
		for _, d := range c.Differences {
			text := fmt.Sprintf("%s %s, want %s", d.Property, d.Have, d.Want)
			if d.Unwanted {
				text += " unwanted"
			}
			if d.Altered {
				text += " altered"
			} else {
				text += " stays"
			}
			parts = append(parts, text)
		}
		for _, n := range c.Notes {
			parts = append(parts, "note "+n)
		}
	}
	return strings.Join(parts, " | ")
}

func pairs(m map[string]string) string {
	text := strings.ReplaceAll(fmt.Sprint(m), ":", "=") // sorted by key
	return strings.TrimSuffix(strings.TrimPrefix(text, "map["), "]")
}

// What a change asks for, done, leaves nothing to ask for: apply comes to an
// end, whatever the topics look like.
func TestApplyingChangesEndsThem(t *testing.T) {
	keys := []string{"retention.ms", "flush.ms", "cleanup.policy", "message.timestamp.difference.max.ms"}
	acted := 0
	for seed := range int64(500) {
		r := rand.New(rand.NewSource(seed))
		random := func() string {
			text := fmt.Sprintf("%d %d", 1+r.Intn(3), 1+r.Intn(2))
			for _, k := range keys {
				switch r.Intn(3) {
				case 0:
					text += fmt.Sprintf(" %s=%d", k, r.Intn(2))
				case 1:
					text += fmt.Sprintf(" ~%s=%d", k, r.Intn(2))
				}
			}
			return text
		}
		m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "*")}}
		source := cluster.Snapshot{Topics: topics(map[string]string{"a": random(), "b": random(), "c": random()})}
		target := cluster.Snapshot{Topics: topics(map[string]string{"a": random(), "b": random()})}
		owned := map[string]bool{"a": true, "c": true}
		for _, c := range diff.Topics(m, source, target, owned, nil) {
			if c.Topic == "b" && c.Action != "" {
				t.Fatalf("seed %d: alters a topic that is not ours: %+v", seed, c)
			}
			if c.Action != "" {
				acted++
				carryOut(target, c)
			}
		}
		for _, c := range diff.Topics(m, source, target, owned, nil) {
			if c.Action != "" {
				t.Fatalf("seed %d: still something to do: %s", seed, describe([]diff.TopicChange{c}))
			}
		}
	}
	if acted < 500 {
		t.Errorf("only %d changes in 500 rounds: the test says little", acted)
	}
}

func carryOut(target cluster.Snapshot, c diff.TopicChange) {
	topic, exists := target.Topics[c.Topic]
	partitions, set := c.Partitions, c.Set
	if !exists {
		topic = cluster.Topic{Name: c.Topic, Configs: map[string]cluster.Config{}}
		partitions, set = c.Want.Partitions, c.Want.Configs
	}
	for int32(len(topic.Partitions)) < partitions {
		topic.Partitions = append(topic.Partitions, cluster.Partition{Replicas: make([]int32, c.Want.ReplicationFactor)})
	}
	for k, v := range set {
		topic.Configs[k] = cluster.Config{Value: v, Source: cluster.SourceTopic}
	}
	for _, k := range c.Delete {
		delete(topic.Configs, k)
	}
	target.Topics[c.Topic] = topic
}

// A refusal says what the plan can do about it, and the next diff does not undo
// that: what is ignored is not wanted any more, and what a topic block says is.
func TestRefusalNamesTheWayOut(t *testing.T) {
	m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "*")}}
	source := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1 segment.bytes=16384 retention.ms=5"})}
	for reason, want := range map[string]string{
		"Invalid value 16384 for configuration segment.bytes: Value must be at least 1048576": `leave it out (parity { ignore = ["segment.bytes"] }), or give a value that the target takes: topic "a" { config = { "segment.bytes" = "..." } }`,
		"Replication factor: 3 larger than available brokers: 1.":                             "want as many replicas as the target has brokers for: parity { replication_factor = ... }",
		"policy says no": `leave out what the target refuses (parity { ignore = [...] }), or give other values: topic "a" { config = { ... } }`,
	} {
		changes := diff.Changes(diff.Topics(m, source, cluster.Snapshot{}, nil, nil), map[string]diff.Answer{"a": {Reason: reason}})
		if len(changes) != 1 || changes[0].Broker != diff.Rejected || changes[0].Reason != reason || changes[0].Advice != want {
			t.Errorf("%s: %+v", reason, changes)
		}
	}
	m.Topics.Parity.Ignore = []string{"segment.bytes"}
	if c := diff.Topics(m, source, cluster.Snapshot{}, nil, nil); len(c) != 1 || c[0].Want.Configs["segment.bytes"] != "" || c[0].Want.Configs["retention.ms"] != "5" {
		t.Errorf("ignored, and still %+v", c)
	}
	m.Topics.Parity.Ignore, m.Topics.Named = nil, []plan.NamedTopic{{Name: "a", Config: map[string]string{"segment.bytes": "1048576"}}}
	if c := diff.Topics(m, source, cluster.Snapshot{}, nil, nil); len(c) != 1 || c[0].Want.Configs["segment.bytes"] != "1048576" {
		t.Errorf("given, and still %+v", c)
	}
}

// What 4.x has no more is left out with a word, as long as the target is known.
func TestWhatHasLostItsMeaningIsLeftOut(t *testing.T) {
	m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "*")}}
	source := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1 message.format.version=2.8 message.downconversion.enable=false message.timestamp.difference.max.ms=7"})}
	target := cluster.Snapshot{Defaults: defaults("retention.ms=1", "message.timestamp.before.max.ms=9", "message.timestamp.after.max.ms=9")}
	c := diff.Topics(m, source, target, nil, nil)[0]
	if d := cmp.Diff(map[string]string{"message.timestamp.before.max.ms": "7", "message.timestamp.after.max.ms": "7"}, c.Want.Configs); d != "" || len(c.Notes) != 3 {
		t.Errorf("%v (-want +got):\n%s", c.Notes, d)
	}
}

// Notes are a list of their own: every change has an address.
func TestNotesAreApart(t *testing.T) {
	m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "*")}}
	source := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1 message.format.version=2.8", "b": "1 1"})}
	target := cluster.Snapshot{Defaults: defaults("retention.ms=1")}
	changes, notes := diff.Apart(diff.Changes(diff.Topics(m, source, target, nil, nil), nil))
	if len(changes) != 2 || len(notes) != 1 || len(notes[0].Topics) != 1 || notes[0].Topics[0] != "a" {
		t.Errorf("%+v, %+v", changes, notes)
	}
	for _, c := range changes {
		if c.Address == "" || c.Action == diff.Noteworthy {
			t.Errorf("%+v", c)
		}
	}
	if s := diff.Summarise(changes, notes, nil); s.Create != 2 || s.Notes != 1 {
		t.Errorf("%+v", s)
	}
}

// What advice says is not undone by the next diff. A config of a topic that kplan
// has made is set back when somebody changes it by hand; said in the plan it
// stays. So advice names the plan, and never the topic.
func TestAdviceIsNotUndone(t *testing.T) {
	m := &plan.Migration{Topics: plan.Topics{Include: patterns(t, "*")}, Scheme: plan.Scheme{Kind: plan.ProductionFirst, DrainTimeout: time.Hour}}
	source := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1 max.message.bytes=1000"})}
	raised := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1 max.message.bytes=2048"})}
	owned := map[string]bool{"a": true}
	if c := diff.Topics(m, source, raised, owned, nil); len(c) != 1 || c[0].Set["max.message.bytes"] != "1000" {
		t.Fatalf("raised by hand, and the diff says %+v: the test proves nothing", c)
	}
	m.Topics.Named = []plan.NamedTopic{{Name: "a", Config: map[string]string{"max.message.bytes": "2048"}}}
	if c := diff.Topics(m, source, raised, owned, nil); len(c) > 0 {
		t.Errorf("raised in the plan, and the diff says %+v", c)
	}

	// The advice about a config that only the target has, followed to the letter.
	m.Topics.Named = nil
	for have, want := range map[string]string{"flush.ms=7": `topic "a" { config = { "flush.ms" = "7" } }`} {
		target := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1 max.message.bytes=1000 " + have})}
		asked := diff.Parity(m, diff.Topics(m, source, target, nil, nil))
		if len(asked) != 1 || !strings.Contains(asked[0].Advice, want) {
			t.Fatalf("%+v", asked)
		}
		m.Topics.Named = []plan.NamedTopic{{Name: "a", Config: map[string]string{"flush.ms": "7"}}}
		if c := diff.Topics(m, source, target, nil, nil); len(c) > 0 {
			t.Errorf("accepted, and still %+v", c)
		}
		m.Topics.Named = nil
	}

	// One whose value is not told cannot be said in the plan: it is ignored.
	secret := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1 max.message.bytes=1000"})}
	secret.Topics["a"].Configs["odd.secret"] = cluster.Config{Source: cluster.SourceTopic, Sensitive: true}
	asked := diff.Parity(m, diff.Topics(m, source, secret, nil, nil))
	if len(asked) != 1 || !strings.Contains(asked[0].Advice, `parity { ignore = ["odd.secret"] }`) {
		t.Errorf("%+v", asked)
	}

	// Retention that is raised by hand differs from the source's, which fails.
	m.Services = []*plan.Service{{Name: "c", Consumes: []plan.NamedRef{{Name: "a"}}}}
	short := cluster.Snapshot{Topics: topics(map[string]string{"a": "1 1 max.message.bytes=1000 ~retention.ms=60000"})}
	left := diff.LeftOf([]diff.Change{{Object: diff.Object{Kind: "topic", Name: "a"}, After: map[string]string{"step": string(graph.Release)}}})
	backlog := left.Retention(m, short, nil)
	if len(backlog) != 1 || strings.Contains(backlog[0].Advice, "yourself") {
		t.Errorf("%+v", backlog)
	}
}
