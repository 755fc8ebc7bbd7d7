//go:build bench

package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
)

const manyTopics = 2000

// realTarget starts one broker of its own: each run begins with no topics.
func realTarget(t *testing.T) (*kafkatest.Cluster, *kafka.Client) {
	t.Helper()
	target := kafkatest.Start(t, kafkatest.Options{Version: kafkatest.V4_3_0})
	client, err := kafka.Open(t.Context(), endpoint.Endpoint{Cluster: "new", Bootstrap: target.Bootstrap(kafkatest.Plaintext)}, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return target, client
}

func created(t *testing.T, c *kafka.Client) int {
	t.Helper()
	topics, err := c.Topics(t.Context(), func(n string) bool { return strings.HasPrefix(n, "bench.") })
	if err != nil {
		t.Fatal(err)
	}
	return len(topics)
}

// TestApplyCreatesOnRealBrokers measures `kplan apply` of a plan without services, which
// creates 2,000 topics on Apache Kafka 4.3.0; once it is killed in the middle
// and resumed.
func TestApplyCreatesOnRealBrokers(t *testing.T) {
	bin := binary(t)
	f := fill{Topics: manyTopics, Partitions: 3, Brokers: 1}
	source := serveClusters(t, f)
	size := fmt.Sprintf("%d topics, %d partitions", f.Topics, f.Topics*f.Partitions)
	r := row{name: "apply, creates topics on 4.3.0", size: size}
	for i := range runs {
		t.Run(fmt.Sprintf("run %d", i), func(t *testing.T) {
			target, client := realTarget(t)
			dir := topicsOnly(t, source.Source, target.Bootstrap(kafkatest.Plaintext))
			s := kplan(t, bin, dir, nil, "apply", "--yes")
			if n := created(t, client); s.code != 0 || n != f.Topics {
				t.Fatalf("exit code %d, %d topics\n%s", s.code, n, s.stderr[:min(len(s.stderr), 3000)])
			}
			r.samples = append(r.samples, s)
			if i == 0 {
				t.Logf("progress:\n%s", tail(s.stderr, 20))
			}
		})
	}
	if len(r.samples) < runs {
		t.FailNow()
	}
	results.add(t, r)
	t.Run("killed", func(t *testing.T) {
		target, client := realTarget(t)
		dir := topicsOnly(t, source.Source, target.Bootstrap(kafkatest.Plaintext))
		killed := kplan(t, bin, dir, []string{"KPLAN_CRASH_AFTER=2500"}, "apply", "--yes")
		middle := created(t, client)
		if killed.code == 0 || middle == 0 || middle == f.Topics {
			t.Fatalf("it was to be killed in the middle: exit code %d, %d topics", killed.code, middle)
		}
		resumed := kplan(t, bin, dir, nil, "apply", "--yes")
		if n := created(t, client); resumed.code != 0 || n != f.Topics {
			t.Fatalf("resumed: exit code %d, %d topics\n%s", resumed.code, n, resumed.stderr[:min(len(resumed.stderr), 3000)])
		}
		results.add(t, row{name: "apply, killed in the middle", size: fmt.Sprintf("%d of %d topics", middle, f.Topics), samples: []sample{killed}})
		results.add(t, row{name: "apply, resumed", size: fmt.Sprintf("the other %d topics", f.Topics-middle), samples: []sample{resumed}})
	})
}

// TestCreateBatchesOnRealBrokers measures the batches themselves, and topics one by one for
// comparison.
func TestCreateBatchesOnRealBrokers(t *testing.T) {
	_, client := realTarget(t)
	specs := func(prefix string, n int) []cluster.TopicSpec {
		var all []cluster.TopicSpec
		for i := range n {
			all = append(all, cluster.TopicSpec{Name: fmt.Sprintf("%s-%04d", prefix, i), Partitions: 3, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "3600000"}})
		}
		return all
	}
	measure := func(name, size string, all []cluster.TopicSpec, step int) {
		r := row{name: name, size: size}
		for some := range slices.Chunk(all, step) {
			began := time.Now()
			errs, err := client.CreateTopics(t.Context(), some, false)
			if err != nil || len(errs) != 0 {
				t.Fatal(err, errs)
			}
			r.samples = append(r.samples, sample{wall: time.Since(began)})
		}
		results.add(t, r)
	}
	measure("one batch of CreateTopics", "200 topics, 600 partitions", specs("batch", manyTopics), 200)
	measure("one topic of CreateTopics", "1 topic, 3 partitions", specs("single", 100), 1)
	began := time.Now()
	errs, err := client.CreateTopics(t.Context(), specs("asked", manyTopics), true)
	if err != nil || len(errs) != 0 {
		t.Fatal(err, errs)
	}
	results.add(t, row{name: "asking with validateOnly", size: fmt.Sprintf("%d topics", manyTopics), samples: []sample{{wall: time.Since(began)}}})
}

func tail(text string, lines int) string {
	end := len(text)
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == '\n' {
			if lines--; lines < 0 {
				return text[i+1 : end]
			}
		}
	}
	return text
}
