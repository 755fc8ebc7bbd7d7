package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/executor/state"
	"kplan/internal/kafkatest"
)

// History moves along, on real brokers of both generations: the target has
// every record of the source in its order, and behind it only what services
// have written there; consumers lose nothing and repeat nothing.
func TestMirrorOnRealBrokers(t *testing.T) {
	t.Parallel()
	s := newScenario(t, scenarioOptions{
		example: mirroredExample, name: "mirrored", rate: 200,
		source: real(t, kafkatest.Stock(kafkatest.V2_8_2), kafkatest.Plaintext), target: real(t, kafkatest.Stock(kafkatest.V4_3_0), kafkatest.Plaintext),
	})
	topics := s.history(2000)
	s.start()
	s.flow(200)
	s.must(exitDifferences, "diff", "--detailed-exitcode")
	s.must(exitDone, "apply", "--yes")
	s.flow(200)
	s.must(exitDone, "verify")
	s.must(exitDone, "diff", "--detailed-exitcode")
	if r := s.prove(); !r.Clean() {
		t.Errorf("records were lost, repeated or out of order: %v", r.Sentences())
	}
	s.sameHistory(topics)
}

// history writes records to the topics of the plan before any service does,
// some of them in transactions that are aborted, and returns the topics. Its
// groups have read all that.
func (s *scenario) history(records int) []string {
	s.t.Helper()
	client := s.client(s.stage.Source.Bootstrap, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.TransactionalID(fmt.Sprintf("history-%d", time.Now().UnixNano())))
	topics := s.topics(client)
	for _, topic := range topics {
		for n := 0; n < records; {
			if err := client.BeginTransaction(); err != nil {
				s.t.Fatal(err)
			}
			for range 100 {
				n++
				client.Produce(s.t.Context(), &kgo.Record{
					Topic: topic, Key: []byte("history"), Value: fmt.Appendf(nil, "%s %d", topic, n),
					Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, n)}},
				}, nil)
			}
			if err := client.Flush(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
			if err := client.EndTransaction(s.t.Context(), kgo.TransactionEndTry(n%500 != 0)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return topics
}

func (s *scenario) client(bootstrap []string, more ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	c, err := kgo.NewClient(append(more, kgo.SeedBrokers(bootstrap...))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// topics are those that the plan selects, by what the stage has created.
func (s *scenario) topics(client *kgo.Client) []string {
	s.t.Helper()
	all, err := kadm.NewClient(client).ListTopics(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, name := range all.Names() {
		if strings.HasPrefix(name, s.stage.Name+".") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		s.t.Fatalf("no topic of the plan among %v", all.Names())
	}
	return names
}

// sameHistory compares both logs record by record: partition, key, value,
// headers, time stamp and order.
func (s *scenario) sameHistory(topics []string) {
	s.t.Helper()
	if len(topics) == 0 {
		return
	}
	source := s.records(s.stage.Source.Bootstrap, topics)
	target := s.records(s.stage.Target.Bootstrap, topics)
	for where, want := range source {
		got := target[where]
		if len(got) < len(want) {
			s.t.Errorf("%s: %d records on the source, %d on the target", where, len(want), len(got))
			continue
		}
		if d := cmp.Diff(want, got[:len(want)]); d != "" {
			s.t.Errorf("%s differs (-source +target):\n%.2000s", where, d)
		}
		s.t.Logf("%s: %d records of the source are on the target, %d more behind them", where, len(want), len(got)-len(want))
	}
}

// records reads what committed consumers see, by partition.
func (s *scenario) records(bootstrap []string, topics []string) map[string][]string {
	s.t.Helper()
	client := s.client(bootstrap, kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	ends, err := kadm.NewClient(client).ListCommittedOffsets(s.t.Context(), topics...)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	all := map[string][]string{}
	at := map[string]int64{}
	for {
		left := false
		ends.Each(func(o kadm.ListedOffset) {
			where := fmt.Sprintf("%s[%d]", o.Topic, o.Partition)
			all[where] = append(all[where], nil...)
			left = left || at[where] < o.Offset
		})
		if !left {
			return all
		}
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			s.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			where := fmt.Sprintf("%s[%d]", r.Topic, r.Partition)
			at[where] = r.Offset + 1
			if r.Attrs.IsControl() {
				return
			}
			all[where] = append(all[where], fmt.Sprintf("%q %q %v %d", r.Key, r.Value, r.Headers, r.Timestamp.UnixMilli()))
		})
	}
}

// With workers apply only asks and watches. Of three one is killed and one is
// told to end while the services move; the target has every record all the same,
// once and in order, and so do the consumers.
func TestMirrorByWorkersOnRealBrokers(t *testing.T) {
	t.Parallel()
	s := newScenario(t, scenarioOptions{
		example: mirroredExample, name: "workers", rate: 200, topic: true,
		source: real(t, kafkatest.Stock(kafkatest.V2_8_2), kafkatest.Plaintext), target: real(t, kafkatest.Stock(kafkatest.V4_3_0), kafkatest.Plaintext),
		plan: func(text string) string {
			return strings.Replace(text, "  mirror {\n", "  mirror {\n    run = \"worker\"\n", 1)
		},
	})
	topics := s.history(2000)
	s.start()
	s.flow(100)
	var workers []*exec.Cmd
	for range 3 {
		workers = append(workers, s.worker())
	}
	var applied outcome
	over := make(chan struct{})
	go func() { defer close(over); applied = s.kplan(nil, "apply", "--yes") }()
	s.journalled(over, `mirror.caught_up`)
	kill(t, workers[0], syscall.SIGKILL)
	s.journalled(over, `switch.service.shop.start`)
	kill(t, workers[1], syscall.SIGTERM)
	if <-over; applied.code != exitDone {
		t.Fatalf("apply: exit code %d\n%s", applied.code, applied.output)
	}
	s.flow(100)
	s.must(exitDone, "verify")
	if r := s.prove(); !r.Clean() {
		t.Errorf("records were lost, repeated or out of order: %v", r.Sentences())
	}
	s.sameHistory(topics)
	if err := workers[1].Wait(); err != nil {
		t.Errorf("a worker that was told to end: %v", err)
	}
}

// worker starts a kplan mirror, which ends with the test.
func (s *scenario) worker() *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(s.binary, "mirror", "--session-timeout", "6s", "--wait", "3s")
	cmd.Dir, cmd.Env = s.stage.PlanDir, s.environ()
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("worker %d:\n%s", cmd.Process.Pid, out.String())
		}
	})
	return cmd
}

func kill(t *testing.T, cmd *exec.Cmd, signal syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// journalled waits until a step has passed, or apply is over.
func (s *scenario) journalled(over <-chan struct{}, address string) {
	s.t.Helper()
	for {
		var doc statusDoc
		if err := json.Unmarshal([]byte(s.must(exitDone, "status", "--json").output), &doc); err != nil {
			s.t.Fatal(err)
		}
		for _, step := range doc.Steps {
			if step.Address == address && step.Status == string(state.Done) {
				return
			}
		}
		select {
		case <-over:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
