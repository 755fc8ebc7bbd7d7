package kafka_test

import (
	"fmt"
	"testing"

	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
)

// With one of three brokers away the others answer what any broker can, and of
// that one it is said that nothing is known.
func TestOneBrokerIsAway(t *testing.T) {
	t.Parallel()
	topics := map[string]int32{}
	var names []string
	for i := range 1200 { // so that every broker would be asked
		names = append(names, fmt.Sprintf("t%04d", i))
		topics[names[i]] = 1
	}
	c, err := embedded.Start(embedded.Options{Brokers: 3, Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kafka.Open(t.Context(), endpoint.Endpoint{Cluster: "c", Bootstrap: c.Bootstrap()}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if configs, away, err := client.BrokerConfigs(t.Context()); err != nil || len(configs) != 3 || len(away) != 0 {
		t.Errorf("with all brokers there: %d tell, %v are away, %v", len(configs), away, err)
	}
	if err := c.Kill(1); err != nil {
		t.Fatal(err)
	}
	got, err := client.TopicsNamed(t.Context(), names)
	if err != nil || len(got) != len(names) {
		t.Errorf("%d of %d topics: %v", len(got), len(names), err)
	}
	if configs, away, err := client.BrokerConfigs(t.Context()); err != nil || len(configs) != 2 || away[1] == nil || len(away) != 1 {
		t.Errorf("with one broker away: %d tell, %v are away, %v", len(configs), away, err)
	}
}
