package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/cluster"
	"kplan/internal/kafkatest"
)

// What cluster.LeastInSync says is what brokers do: a topic with fewer replicas
// than min.insync.replicas takes no write with acks=all, and from 4.0 it does.
func TestInSyncOnRealBrokers(t *testing.T) {
	for v, capped := range map[kafkatest.Version]bool{kafkatest.V4_3_0: true, kafkatest.V2_8_2: false} {
		t.Run(string(v), func(t *testing.T) {
			r := onReal(t, v, kafkatest.Plaintext)
			topic := name("insync")
			spec := cluster.TopicSpec{Name: topic, Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{cluster.MinInSync: "2"}}
			if err := r.client.CreateTopic(t.Context(), spec, false); err != nil {
				t.Fatal(err)
			}
			there, err := r.client.TopicsNamed(t.Context(), []string{topic})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			w := r.another(t, kgo.RecordRetries(3), kgo.DefaultProduceTopic(topic))
			err = w.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr()
			if (err == nil) != capped {
				t.Errorf("a write ended with %v", err)
			}
			if short := there[topic].Unwritable(capped); (len(short) == 0) != (err == nil) {
				t.Errorf("it is judged as %+v, and a write ended with %v", short, err)
			}
		})
	}
}
