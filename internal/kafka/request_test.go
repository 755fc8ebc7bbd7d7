package kafka

import (
	"fmt"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"

	"kplan/internal/cluster"
)

// A request stays below what a controller takes, and nothing is left out.
func TestBatches(t *testing.T) {
	var names []string
	records := map[string]int{"huge": 30_000}
	for i := range 450 {
		n := fmt.Sprintf("t-%03d", i)
		names = append(names, n)
		records[n] = 1 + i%100
	}
	names = append(names, "huge")
	var all []string
	for _, b := range batches(slices.Clone(names), func(n string) int { return records[n] }) {
		sum := 0
		for _, n := range b {
			sum += records[n]
		}
		if len(b) > batchTopics || len(b) > 1 && sum > batchRecords {
			t.Errorf("a batch of %d topics with %d records", len(b), sum)
		}
		all = append(all, b...)
	}
	slices.Sort(names)
	if d := cmp.Diff(names, all); d != "" {
		t.Errorf("the batches together (-want +got):\n%s", d)
	}
	if got := batches(nil, nil); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func TestChunksOf(t *testing.T) {
	for n, want := range map[int][][]int{
		0: nil, 1: {{0}}, 2: {{0, 1}}, 3: {{0, 1}, {2}}, 4: {{0, 1}, {2, 3}},
	} {
		var all []int
		for i := range n {
			all = append(all, i)
		}
		if d := cmp.Diff(want, chunks(all, 2)); d != "" {
			t.Errorf("%d by 2 (-want +got):\n%s", n, d)
		}
	}
}

// Sets of configs that differ in anything are different sets.
func TestConfigSets(t *testing.T) {
	entry := func(name, value string, source sarama.ConfigSource, sensitive bool) *sarama.ConfigEntry {
		return &sarama.ConfigEntry{Name: name, Value: value, Source: source, Sensitive: sensitive}
	}
	s := newConfigSets()
	a := s.set([]*sarama.ConfigEntry{entry("x", "1", sarama.SourceTopic, false), entry("y", "", sarama.SourceDefault, false)})
	s.set([]*sarama.ConfigEntry{entry("y", "", sarama.SourceDefault, false), entry("x", "1", sarama.SourceTopic, false)})
	if len(s.sets) != 1 {
		t.Errorf("the same in another order makes %d sets", len(s.sets))
	}
	for _, other := range [][]*sarama.ConfigEntry{
		{entry("x", "1", sarama.SourceDefault, false), entry("y", "", sarama.SourceDefault, false)},
		{entry("x", "1", sarama.SourceTopic, true), entry("y", "", sarama.SourceDefault, false)},
		{entry("x", "1y", sarama.SourceTopic, false)},
		{entry("x1", "y", sarama.SourceTopic, false)},
		{},
	} {
		s.set(other)
	}
	if len(s.sets) != 6 {
		t.Errorf("%d sets, want 6", len(s.sets))
	}
	want := map[string]cluster.Config{"x": {Value: "1", Source: cluster.SourceTopic}, "y": {Source: cluster.SourceDefault}}
	if d := cmp.Diff(want, a); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
