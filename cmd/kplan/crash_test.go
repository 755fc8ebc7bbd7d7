package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/plan"
)

// crashParallel is how many crashed migrations run side by side: they mostly
// wait for logs to be quiet.
const crashParallel = 8

// TestCrashLoop kills kplan with SIGKILL after every journal record of a
// reference run, resumes it, and compares the end with that of the reference:
// the same topics, configs, offsets and sides, every record once and in order.
func TestCrashLoop(t *testing.T) {
	for _, example := range []string{"production-first", "production-later"} {
		t.Run(example, func(t *testing.T) {
			t.Parallel()
			pair := func(t *testing.T) (end, end) { return fake(t, 1), fake(t, 1) }
			reference, records := crashOnce(t, example, "reference", pair, 0)
			t.Logf("the reference run of %s has %d journal records", example, records)
			crashAt(t, example, pair, reference, upTo(records))
		})
	}
}

// TestCrashSampleOnRealBrokers does the same at a few points on real Kafka.
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
	for _, example := range []string{"production-first", "production-later"} {
		reference, records := crashOnce(t, example, "sampleref"+example[len("production-"):], realPair, 0)
		var chosen []int
		for _, k := range r.Perm(records)[:points] {
			chosen = append(chosen, k+1)
		}
		crashAt(t, example, realPair, reference, chosen)
	}
}

// TestCrashLoopOnRealBrokers is the whole loop on real Kafka: make
// campaign-crash.
func TestCrashLoopOnRealBrokers(t *testing.T) {
	if os.Getenv("KPLAN_CAMPAIGN") != "crash" {
		t.Log("the whole loop is a campaign: make campaign-crash; TestCrashSampleOnRealBrokers runs always")
		return
	}
	for _, example := range []string{"production-first", "production-later"} {
		reference, records := crashOnce(t, example, "loopref"+example[len("production-"):], realPair, 0)
		crashAt(t, example, realPair, reference, upTo(records))
		t.Logf("%s: killed after each of %d journal records", example, records)
	}
}

func realPair(t *testing.T) (end, end) {
	return real(t, kafkatest.V2_8_2, "", kafkatest.Plaintext), real(t, kafkatest.V4_3_0, targetID, kafkatest.Plaintext)
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
func crashAt(t *testing.T, example string, pair pairOf, reference endState, points []int) {
	slots := make(chan struct{}, crashParallel)
	var wg sync.WaitGroup
	for _, k := range points {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(fmt.Sprintf("record-%d", k), func(t *testing.T) {
				got, _ := crashOnce(t, example, fmt.Sprintf("crash%d%s", k, example[len("production-"):]), pair, k)
				if d := cmp.Diff(reference, got); d != "" {
					t.Errorf("the end differs from the reference run's (-want +got):\n%s", d)
				}
			})
		})
	}
	wg.Wait()
}

// crashOnce migrates, with a kill -9 after k journal records if k is not 0, and
// returns how it ended and how many records the journal has.
func crashOnce(t *testing.T, example, name string, pair pairOf, k int) (endState, int) {
	t.Helper()
	source, target := pair(t)
	s := newScenario(t, scenarioOptions{example: example, name: name, source: source, target: target, rate: 60})
	s.binary = built().plain // a thousand starts: the race detector has its turn in the other tests
	s.start()
	s.flow(60)
	if k > 0 {
		got := s.kplan([]string{fmt.Sprintf("KPLAN_CRASH_AFTER=%d", k)}, "apply", "--yes")
		if got.code != -1 {
			t.Fatalf("kplan was to be killed after %d records and ended with %d:\n%s", k, got.code, got.output)
		}
	}
	s.must(exitDone, "apply", "--yes")
	s.flow(30)
	s.must(exitDone, "verify")
	r := s.prove()
	if example == "production-first" && !r.Clean() || !r.CleanPerCluster() {
		t.Errorf("killed after record %d: %v", k, r.Sentences())
	}
	return stateAtEnd(t, s, name, source, target), s.journalLength()
}

func (s *scenario) journalLength() int {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.stage.PlanDir, ".kplan", "*", "journal.jsonl"))
	if err != nil || len(paths) != 1 {
		s.t.Fatalf("one journal was expected: %v %v", paths, err)
	}
	data, err := os.ReadFile(paths[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// endState is what has to be the same whatever was killed on the way. Numbers
// of records differ between runs, so offsets are held against the logs' ends.
type endState struct {
	Topics map[string]topicState
	Groups map[string]groupState
	Sides  []string
	Held   []string
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
	for _, list := range [][]statusSide{doc.Topics, doc.Groups} {
		for _, x := range list {
			out.Sides = append(out.Sides, fmt.Sprintf("%s on the %s, epoch %d", plain(x.Name), x.Side, x.Epoch))
		}
	}
	for _, x := range doc.Services {
		out.Sides = append(out.Sides, x.Name+" on the "+x.Side)
	}
	sort.Strings(out.Sides)
	out.Held = doc.Held
	return out
}

func snapshot(t *testing.T, e end, name string) cluster.Snapshot {
	t.Helper()
	c := &plan.Cluster{Name: "end", Listener: plan.Listener{Bootstrap: e.conn.Bootstrap}}
	ep, err := endpoint.Own(".", c)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kafka.Open(context.Background(), ep, "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() // a test's reader
	snap, err := client.Snapshot(context.Background(), func(topic string) bool { return strings.HasPrefix(topic, name+".") })
	if err != nil {
		t.Fatal(err)
	}
	return snap
}
