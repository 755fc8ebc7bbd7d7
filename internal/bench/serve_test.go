//go:build bench

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"golang.org/x/sync/errgroup"

	"kplan/internal/embedded"
)

// fill says what the two clusters hold.
type fill struct {
	Topics     int
	Partitions int // of each topic
	Groups     int // each with a position on every partition of one topic
	Configs    int // set on each topic, of made-up names
	Brokers    int // of each cluster; zero means three

	// Target: the target has the topics too, with another retention on every
	// tenth of them, so that there is something to alter.
	Target bool
}

// served is where the clusters are.
type served struct {
	Source, Target []string
	Took           time.Duration
}

// serveClusters starts the clusters in a process of their own and fills them.
func serveClusters(t *testing.T, f fill) served {
	t.Helper()
	spec, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), serveEnv+"="+string(spec))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // its end is the sign to go
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process with the clusters: %v", err)
		}
	})
	var at served
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &at)
	}
	if err != nil {
		t.Fatalf("starting the clusters: %v", err)
	}
	t.Logf("embedded clusters of %+v filled in %s", f, short(at.Took))
	return at
}

// serve is the other process: it ends with its standard input.
func serve(spec string) error {
	var f fill
	if err := json.Unmarshal([]byte(spec), &f); err != nil {
		return err
	}
	if f.Brokers == 0 {
		f.Brokers = 3
	}
	began := time.Now()
	source, err := embedded.Start(embedded.Options{Brokers: f.Brokers})
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := embedded.Start(embedded.Options{Brokers: f.Brokers})
	if err != nil {
		return err
	}
	defer target.Close()
	if err := f.source(source.Bootstrap()); err != nil {
		return err
	}
	if f.Target {
		if err := f.target(target.Bootstrap()); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(served{Source: source.Bootstrap(), Target: target.Bootstrap(), Took: time.Since(began)}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func topicName(i int) string { return fmt.Sprintf("bench.topic-%05d", i) }
func groupName(i int) string { return fmt.Sprintf("bench-group-%04d", i) }

func (f fill) source(bootstrap []string) error {
	// Topics are named by name, not by id, in the requests of this version.
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxVersions(kversion.V3_9_0()))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx := context.Background()
	if err := f.create(ctx, c, "3600000"); err != nil {
		return err
	}
	var records []*kgo.Record // one for each topic, so that there is something to look at
	for i := range f.Topics {
		records = append(records, &kgo.Record{Topic: topicName(i), Key: []byte("k"), Value: []byte("v")})
	}
	if err := c.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	var g errgroup.Group
	g.SetLimit(8)
	for i := range f.Groups {
		g.Go(func() error { return f.commit(ctx, c, i) })
	}
	return g.Wait()
}

func (f fill) target(bootstrap []string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...))
	if err != nil {
		return err
	}
	defer c.Close()
	return f.create(context.Background(), c, "7200000")
}

// create makes the topics in big requests.
func (f fill) create(ctx context.Context, c *kgo.Client, tenth string) error {
	const many = 500
	for first := 0; first < f.Topics; first += many {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = 60_000
		for i := first; i < min(first+many, f.Topics); i++ {
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = topicName(i), int32(f.Partitions), int16(f.Brokers)
			set := func(k, v string) {
				topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: &v})
			}
			if i%10 == 0 {
				set("retention.ms", tenth)
			} else {
				set("retention.ms", "604800000")
			}
			for n := range f.Configs {
				set(fmt.Sprintf("bench.made.up.config.%02d", n), fmt.Sprint(n))
			}
			req.Topics = append(req.Topics, topic)
		}
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return fmt.Errorf("creating topics: %w", err)
		}
		for _, topic := range resp.Topics {
			if topic.ErrorCode != 0 {
				return fmt.Errorf("creating %s: error %d", topic.Topic, topic.ErrorCode)
			}
		}
	}
	return nil
}

// commit gives a group a position on every partition of its topic.
func (f fill) commit(ctx context.Context, c *kgo.Client, i int) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = groupName(i), -1
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = topicName(topicOfGroup(i, f))
	for p := range f.Partitions {
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.LeaderEpoch = int32(p), -1
		topic.Partitions = append(topic.Partitions, part)
	}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return fmt.Errorf("committing for %s: %w", req.Group, err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return fmt.Errorf("committing for %s: error %d", req.Group, p.ErrorCode)
			}
		}
	}
	return nil
}
