package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/internal/migration"
	"kplan/plan"
)

// crash is where a run is cut off.
type crash struct {
	example string
	// topic keeps the state in a topic of the source; else it is in files. There a
	// killed run leaves a lease behind, and what comes after the record is the next
	// heartbeat.
	topic bool
	// before kills between the effect and the record that says that it is done;
	// else kplan dies after the record.
	before bool
	fenced bool // the services log in, and what they have written is fenced (R8)
	point  int  // the number of the record; 0: it is not killed
}

func (c crash) name() string {
	name := "crash" + strings.TrimPrefix(c.example, "production-")
	if c.topic {
		name += "topic"
	}
	if c.fenced {
		name += "fenced"
	}
	if c.before {
		name += "before"
	}
	return fmt.Sprintf("%s%d", name, c.point)
}

func (c crash) env() []string {
	name := "KPLAN_CRASH_AFTER"
	if c.before {
		name = "KPLAN_CRASH_BEFORE"
	}
	return []string{fmt.Sprintf("%s=%d", name, c.point)}
}

// TestCrashLoop kills kplan with SIGKILL after every ninth journal record of a
// reference run, resumes it, and compares the end with that of the reference:
// the same topics, configs, offsets, sides and access rules, every record once
// and in order. With the state in a topic, and before the record, it takes every
// thirtieth; with the fence those around it, and every sixteenth of the others. The
// campaign takes every record, on real brokers, and TestEveryCrashPoint of the
// executor does in one process.
func TestCrashLoop(t *testing.T) {
	t.Run("fenced", func(t *testing.T) {
		t.Parallel()
		crashFenced(t)
	})
	for _, example := range []string{"production-first", "production-later"} {
		for _, c := range []crash{{example: example}, {example: example, before: true}, {example: example, topic: true}, {example: example, topic: true, before: true}} {
			t.Run(c.name(), func(t *testing.T) {
				t.Parallel()
				var reference endState
				var records int
				inRoom(func() { reference, records = crashOnce(t, c, fakePair) })
				t.Logf("the reference run of %s has %d journal records", example, records)
				nth := 30
				if c == (crash{example: example}) {
					nth = 9
				}
				points := every(upTo(records), nth, records%nth)
				crashAt(t, c, fakePair, reference, points)
			})
		}
	}
}

func fakePair(t *testing.T) (end, end) {
	return fake(t, embedded.Options{}), fake(t, embedded.Options{})
}

// every returns each n-th of the points, from one on.
func every(points []int, n, from int) []int {
	var some []int
	for i := from; i < len(points); i += n {
		some = append(some, points[i])
	}
	return some
}

// TestCrashLoopOfTheMirror does the same with records that are copied; the
// target must have them all, once and in order.
func TestCrashLoopOfTheMirror(t *testing.T) {
	t.Parallel()
	for _, c := range []crash{{example: mirroredExample}, {example: mirroredExample, topic: true, before: true}} {
		var reference endState
		var records int
		inRoom(func() { reference, records = crashOnce(t, c, fakePair) })
		t.Logf("the reference run of %+v has %d journal records", c, records)
		crashAt(t, c, fakePair, reference, every(upTo(records), mirrorNth, records%mirrorNth))
	}
}

const (
	mirroredExample = "mirrored"
	mirrorNth       = 30
)

// TestCrashSampleOnRealBrokers does the same at a few points on real Kafka, with
// the state in a topic there.
func TestCrashSampleOnRealBrokers(t *testing.T) {
	t.Parallel()
	const points = 3
	seed := time.Now().UnixNano()
	if text := os.Getenv("KPLAN_TEST_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (KPLAN_TEST_SEED)", seed)
	r := rand.New(rand.NewSource(seed))
	for _, c := range []crash{{example: mirroredExample, topic: true}, {example: "production-later", topic: true, before: true}} {
		reference, records := crashOnce(t, c, realPair)
		var chosen []int
		for _, k := range r.Perm(records)[:points] {
			chosen = append(chosen, k+1)
		}
		crashAt(t, c, realPair, reference, chosen)
	}
}

func realPair(t *testing.T) (end, end) {
	return real(t, kafkatest.Stock(kafkatest.V2_8_2), kafkatest.Plaintext), real(t, kafkatest.Stock(kafkatest.V4_3_0), kafkatest.Plaintext)
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

type pairOf func(*testing.T) (source, target end)

// crashAt runs the migration once for each point.
func crashAt(t *testing.T, c crash, pair pairOf, reference endState, points []int) {
	var wg sync.WaitGroup
	for _, k := range points {
		wg.Go(func() {
			inRoom(func() {
				t.Run(fmt.Sprintf("record-%d", k), func(t *testing.T) {
					c := c
					c.point = k
					got, _ := crashOnce(t, c, pair)
					if d := cmp.Diff(reference, got); d != "" {
						t.Errorf("the end differs from the reference run's (-want +got):\n%s", d)
					}
				})
			})
		})
	}
	wg.Wait()
}

// crashOnce migrates, with a kill -9 at the point, and returns how it ended and
// how many records the journal has.
func crashOnce(t *testing.T, c crash, pair pairOf) (endState, int) {
	t.Helper()
	got, s := crashed(t, c, pair)
	return got, s.journalLength()
}

func crashed(t *testing.T, c crash, pair pairOf) (endState, *scenario) {
	t.Helper()
	source, target := pair(t)
	name := c.name()
	o := scenarioOptions{example: c.example, name: name, source: source, target: target, rate: 60, topic: c.topic}
	if c.fenced {
		o.logins, o.plan = serviceLogins(), withPrincipals
	}
	s := newScenario(t, o)
	s.binary = built().plain // a thousand starts: the race detector has its turn in the other tests
	var history []string
	if c.example == mirroredExample {
		history = s.history(500)
	}
	s.start()
	s.flow(60)
	if c.point > 0 {
		if got := s.kplan(c.env(), "apply", "--yes"); got.code != -1 {
			t.Fatalf("kplan was to be killed at record %d and ended with %d:\n%s", c.point, got.code, got.output)
		}
	}
	s.must(exitDone, "apply", "--yes")
	s.flow(30)
	s.must(exitDone, "verify")
	r := s.prove()
	if c.example != "production-later" && !r.Clean() || !r.CleanPerCluster() {
		t.Errorf("killed at record %d: %v", c.point, r.Sentences())
	}
	s.sameHistory(history)
	return stateAtEnd(t, s, name, source, target), s
}

// journalLength is the state's serial, wherever it is kept.
func (s *scenario) journalLength() int {
	s.t.Helper()
	var doc statusDoc
	if err := json.Unmarshal([]byte(s.must(exitDone, "status", "--json").output), &doc); err != nil {
		s.t.Fatal(err)
	}
	return int(doc.Serial)
}

// endState is what has to be the same whatever was killed on the way. Numbers
// of records differ between runs, so offsets are held against the logs' ends.
type endState struct {
	Topics map[string]topicState
	Groups map[string]groupState
	Sides  []string
	Held   []string
	Rules  []string // of the source
	Fences []string // as the state knows them
}

type topicState struct {
	Partitions, Replicas int
	Configs              map[string]string // set on the topic
	Empty                bool
}

type groupState struct {
	Partitions, Behind int64
	Members            int
}

func stateAtEnd(t *testing.T, s *scenario, name string, source, target end) endState {
	t.Helper()
	out := endState{Topics: map[string]topicState{}, Groups: map[string]groupState{}}
	plain := func(text string) string { return strings.ReplaceAll(text, name, "orders") }
	for side, e := range map[string]end{"source": source, "target": target} {
		snap := snapshot(t, e, name)
		for topic, d := range snap.Topics {
			st := topicState{Partitions: len(d.Partitions), Replicas: d.ReplicationFactor(), Configs: map[string]string{}, Empty: true}
			for _, key := range d.SetConfigs() {
				st.Configs[key] = d.Configs[key].Value
			}
			for tp, ends := range snap.LogEnds {
				st.Empty = st.Empty && (tp.Topic != topic || ends.LogEnd == ends.LogStart)
			}
			out.Topics[side+" "+plain(topic)] = st
		}
		for id, g := range snap.Groups {
			st := groupState{Members: len(g.Members)}
			for tp, c := range g.Commits {
				st.Partitions++
				st.Behind += snap.LogEnds[tp].LastStable - c.Offset
			}
			out.Groups[side+" "+plain(id)] = st
		}
	}
	var doc statusDoc
	if err := json.Unmarshal([]byte(s.must(exitDone, "status", "--json").output), &doc); err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]migration.StatusSide{doc.Topics, doc.Groups} {
		for _, x := range list {
			out.Sides = append(out.Sides, fmt.Sprintf("%s on the %s, epoch %d", plain(x.Name), x.Side, x.Epoch))
		}
	}
	for _, x := range doc.Services {
		out.Sides = append(out.Sides, x.Name+" on the "+x.Side)
	}
	sort.Strings(out.Sides)
	out.Held = doc.Held
	for _, f := range doc.Fences {
		for _, rule := range f.Rules {
			out.Fences = append(out.Fences, plain(rule))
		}
	}
	if source.conn.SASL != nil {
		out.Rules = rulesOf(t, source, plain)
	}
	return out
}

func snapshot(t *testing.T, e end, name string) (snap cluster.Snapshot) {
	t.Helper()
	asReader(t, e, func(client *kafka.Client) (err error) {
		snap, err = client.Snapshot(context.Background(), func(topic string) bool { return strings.HasPrefix(topic, name+".") })
		return err
	})
	return snap
}

// asReader asks a cluster as its services do, or as a super user where it wants
// a login.
func asReader(t *testing.T, e end, ask func(*kafka.Client) error) {
	t.Helper()
	c := &plan.Cluster{Name: "end", Listener: plan.Listener{Bootstrap: e.conn.Bootstrap}}
	if login := e.conn.SASL; login != nil {
		c.SASL = &plan.SASL{Mechanism: login.Mechanism, Username: login.Username, Password: plan.NewSecret(login.Password)}
	}
	ep, err := endpoint.Own(".", c)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kafka.Open(context.Background(), ep, "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() // a test's reader
	if err := ask(client); err != nil {
		t.Fatal(err)
	}
}
