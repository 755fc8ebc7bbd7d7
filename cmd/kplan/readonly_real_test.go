package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
)

// emptyPlan moves a topic with configs that 2.8 knows and 4.x does not, and a
// service with a group.
const emptyPlan = `
cluster "old" { bootstrap = [%q] }
cluster "new" { bootstrap = [%q] }
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups { include = ["orders-*"] }
  service "billing" {
    consumes = ["orders.events"]
    groups   = ["orders-billing"]
    switch "exec" {
      stop  = ["true"]
      start = ["true"]
      check = ["echo", "source"]
    }
  }
}
`

// forgetOffsets deletes the topic of offsets that waiting for the brokers has
// made.
func forgetOffsets(t *testing.T, bootstrap []string) {
	t.Helper()
	w, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	req := kmsg.NewPtrDeleteTopicsRequest()
	const name = "__consumer_offsets"
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic, req.TopicNames = kmsg.StringPtr(name), []string{name}
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	for there := true; there && t.Context().Err() == nil; {
		meta := kmsg.NewPtrMetadataRequest()
		resp, err := meta.RequestWith(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		there = len(resp.Topics) > 0
	}
}

// No read-only command makes a cluster create anything, and what an empty target
// knows is asked in a way that works there: the diff is the same before and
// after, whatever topics Kafka has made for itself.
func TestReadOnlyCommandsOnRealBrokers(t *testing.T) {
	source, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	target := kafkatest.Start(t, kafkatest.Options{Version: kafkatest.V4_3_0})
	open := func(addresses []string) *kafka.Client {
		c, err := kafka.Open(t.Context(), endpoint.Endpoint{Cluster: "either", Bootstrap: addresses}, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	forgetOffsets(t, target.Bootstrap(kafkatest.Plaintext))
	sides := []*kafka.Client{open(source.Bootstrap()), open(target.Bootstrap(kafkatest.Plaintext))}
	old := map[string]string{"message.format.version": "2.8-IV1", "message.timestamp.difference.max.ms": "3600000", "message.downconversion.enable": "false"}
	if err := sides[0].CreateTopic(t.Context(), cluster.TopicSpec{Name: "orders.events", Partitions: 1, ReplicationFactor: 1, Configs: old}, false); err != nil {
		t.Fatal(err)
	}
	names := func() string {
		var all []string
		for i, c := range sides {
			topics, err := c.Topics(t.Context(), func(string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			for name := range topics {
				all = append(all, fmt.Sprintf("%d %s", i, name))
			}
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	dir := t.TempDir()
	text := fmt.Sprintf(emptyPlan, source.Bootstrap()[0], target.Bootstrap(kafkatest.Plaintext)[0])
	if err := os.WriteFile(filepath.Join(dir, "orders.kplan.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	kplan := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), built().kplan, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out)
	}
	before := names()
	if before != "0 orders.events" {
		t.Fatalf("to begin with there are %s", before)
	}
	var diffs []string
	for _, args := range [][]string{
		{"validate"}, {"graph"}, {"diff", "--full"}, {"diff", "--out", "saved"}, {"show", "saved"}, {"verify"}, {"status"}, {"probe"}, {"lock"}, {"state", "list"}, {"diff", "--full"},
	} {
		out := kplan(args...)
		if after := names(); after != before {
			t.Fatalf("kplan %s has made topics: there are %s now\n%s", args[0], after, out)
		}
		if args[0] == "diff" && len(args) == 2 {
			diffs = append(diffs, out)
		}
	}
	for _, key := range []string{"message.format.version", "message.downconversion.enable"} {
		if !strings.Contains(diffs[0], key+" is unknown to the target and has lost its meaning; it is left out") {
			t.Errorf("nothing is said of %s", key)
		}
	}
	if strings.Contains(diffs[0], "rejected") || !strings.Contains(diffs[0], "message.timestamp.after.max.ms 3600000") || !strings.Contains(diffs[0], "accepted by brokers") {
		t.Errorf("the empty target refuses what it has a successor for:\n%s", diffs[0])
	}
	sameButTime := func(s string) string { _, rest, _ := strings.Cut(s, "\n"); return rest }
	if a, b := sameButTime(diffs[0]), sameButTime(diffs[1]); a != b {
		t.Errorf("two diffs differ:\n%s\n%s", a, b)
	}
}
