package kafkatest_test

import (
	"context"
	"crypto/sha512"
	"crypto/tls"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/xdg-go/scram"

	"kplan/internal/kafkatest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == orphanCommand {
		os.Exit(orphan())
	}
	os.Exit(m.Run())
}

// Both versions at the same time, each by both listeners, with a client that is
// not the package's own.
func TestBothVersionsOnRealBrokers(t *testing.T) {
	for _, v := range []kafkatest.Version{kafkatest.V4_3_0, kafkatest.V2_8_2} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			var pool kafkatest.Pool
			t.Cleanup(func() {
				if err := pool.Close(); err != nil {
					t.Error(err)
				}
			})
			c := pool.Shared(t, kafkatest.Stock(v))
			t.Logf("%s; cluster id %s", c.Evidence(), c.ClusterID())
			topics := map[string]sarama.SASLMechanism{
				"by-plaintext": "", "by-sasl-plain": sarama.SASLTypePlaintext, "by-scram-512": sarama.SASLTypeSCRAMSHA512,
			}
			for topic, mechanism := range topics {
				admin := connect(t, c, mechanism)
				if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false); err != nil {
					t.Errorf("creating topic %s: %v", topic, err)
				}
			}
			seen, err := connect(t, c, "").ListTopics()
			if err != nil {
				t.Fatal(err)
			}
			for topic := range topics {
				if seen[topic].NumPartitions != 3 {
					t.Errorf("topic %s has %d partitions, want 3", topic, seen[topic].NumPartitions)
				}
			}
		})
	}
}

func connect(t *testing.T, c *kafkatest.Cluster, mechanism sarama.SASLMechanism) sarama.ClusterAdmin {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	listener := kafkatest.Plaintext
	if mechanism != "" {
		listener = kafkatest.SASLTLS
		cfg.Net.TLS.Enable, cfg.Net.TLS.Config = true, &tls.Config{RootCAs: c.Authority().Pool()}
		cfg.Net.SASL.Enable, cfg.Net.SASL.Mechanism = true, mechanism
		cfg.Net.SASL.User, cfg.Net.SASL.Password = "kplan", kafkatest.Password
		cfg.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{} }
	}
	admin, err := sarama.NewClusterAdmin(c.Bootstrap(listener), cfg)
	if err != nil {
		t.Fatalf("connecting to %s with %q: %v", listener, mechanism, err)
	}
	t.Cleanup(func() {
		if err := admin.Close(); err != nil {
			t.Error(err)
		}
	})
	return admin
}

type scramClient struct{ *scram.ClientConversation }

func (s *scramClient) Begin(name, password, id string) error {
	client, err := scram.HashGeneratorFcn(sha512.New).NewClient(name, password, id)
	if err != nil {
		return err
	}
	s.ClientConversation = client.NewConversation()
	return nil
}

// Three brokers survive what one may suffer.
func TestFaultsOnRealBrokers(t *testing.T) {
	c := kafkatest.Start(t, kafkatest.Options{Version: kafkatest.V4_3_0, Brokers: 3, ClusterID: "AAAAAAAAAAAAAAAAAAAAAA"})
	if diff := cmp.Diff("AAAAAAAAAAAAAAAAAAAAAA", c.ClusterID()); diff != "" {
		t.Errorf("cluster id (-want +got):\n%s", diff)
	}
	admin := connect(t, c, "")
	if err := admin.CreateTopic("t", &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {3, 1, 2}}}, false); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(3); err != nil {
		t.Fatal(err)
	}
	awaitLeader(t, c, func(leader int32) bool { return leader == 1 || leader == 2 })
	if err := c.Restart(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if err := c.Pause(2); err != nil {
		t.Fatal(err)
	}
	if err := c.Resume(2); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(1); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{c.Kill(4), c.Kill(0), c.Restart(t.Context(), 1)} {
		if err == nil {
			t.Error("a fault that cannot be succeeded")
		}
	}
}

func awaitLeader(t *testing.T, c *kafkatest.Cluster, good func(int32) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		meta, err := connect(t, c, "").DescribeTopics([]string{"t"})
		if err == nil && len(meta) == 1 && len(meta[0].Partitions) == 1 && good(meta[0].Partitions[0].Leader) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no new leader; the last answer: %+v, %v", meta, err)
		case <-tick.C:
		}
	}
}

// A pool starts a cluster once for all who ask for the same.
func TestPoolSharesOnRealBrokers(t *testing.T) {
	var pool kafkatest.Pool
	first := pool.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	second := pool.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	if first.ClusterID() != second.ClusterID() || !slices.Equal(first.Bootstrap(kafkatest.Plaintext), second.Bootstrap(kafkatest.Plaintext)) {
		t.Error("the same options gave two clusters")
	}
	if !slices.Equal(first.Bootstrap(kafkatest.TLS), []string(nil)) {
		t.Errorf("a listener that is not there has addresses %v", first.Bootstrap(kafkatest.TLS))
	}
}
