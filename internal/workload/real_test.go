package workload_test

import (
	"testing"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
	"kplan/internal/kafkatest"
	"kplan/internal/workload"
)

// The services on the brokers that count: 2.8.2 in plaintext to 4.3.0 with
// SASL_SSL and SCRAM-SHA-512, under load, stopped and started on the way.
func TestMoveBetweenRealBrokers(t *testing.T) {
	var brokers kafkatest.Pool
	t.Cleanup(func() {
		if err := brokers.Close(); err != nil {
			t.Error(err)
		}
	})
	old, young := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2)), brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	for _, c := range []*kafkatest.Cluster{old, young} {
		createTopics(t, c.Bootstrap(kafkatest.Plaintext))
	}
	b := setUp(t, chain(), map[cluster.Side]workload.Connection{
		cluster.Source: {Bootstrap: old.Bootstrap(kafkatest.Plaintext)},
		cluster.Target: {
			Bootstrap: young.Bootstrap(kafkatest.SASLTLS),
			TLS:       &workload.TLS{CAFile: young.CAFile(t)},
			SASL:      &workload.SASL{Mechanism: "SCRAM-SHA-512", Username: kafkatest.SuperUser, Password: kafkatest.Password},
		},
	})
	for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
		for _, s := range []string{"C", "P", "A"} {
			b.start(s, side)
		}
		b.awaitReceived("c", "t2", 300)
		for _, s := range []string{"P", "C", "A"} {
			b.stop(s, side)
			b.start(s, side)
			b.awaitReceived("c", "t2", 100)
		}
		b.stop("A", side)
		b.awaitConsumed()
		b.stop("P", side)
		b.stop("C", side)
	}
	for _, p := range b.wantClean().Pauses {
		t.Logf("%s %s: longest pause %.0f ms (%s to %s)", p.Service, p.What, p.Longest, p.From, p.To)
	}
}

func createTopics(t *testing.T, bootstrap []string) {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	admin, err := sarama.NewClusterAdmin(bootstrap, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() }) // it has done its part
	for _, topic := range []string{"t1", "t2"} {
		t.Cleanup(func() {
			if err := admin.DeleteTopic(topic); err != nil {
				t.Error(err)
			}
		})
		if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 4, ReplicationFactor: 1}, false); err != nil {
			t.Fatal(err)
		}
	}
}
