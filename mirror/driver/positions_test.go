package driver_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/driver"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// transact writes so many transactions of one record to twelve, and returns where
// each committed record is on the source.
func (s *stage) transact(topic string, n int) (at []int64) {
	s.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.at[source].Bootstrap()...), kgo.TransactionalID(topic))
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	rng := rand.New(rand.NewPCG(7, 7))
	for range n {
		if err := c.BeginTransaction(); err != nil {
			s.t.Fatal(err)
		}
		var records []*kgo.Record
		for range 1 + rng.IntN(12) {
			records = append(records, &kgo.Record{Topic: topic, Value: []byte("v")})
		}
		for _, r := range c.ProduceSync(s.t.Context(), records...) {
			if r.Err != nil {
				s.t.Fatal(r.Err)
			}
			at = append(at, r.Record.Offset)
		}
		if err := c.EndTransaction(s.t.Context(), kgo.TryCommit); err != nil {
			s.t.Fatal(err)
		}
	}
	return at
}

// What the groups of the source have read becomes coarse in the state, in both
// modes, as far as the slowest of them is. A group that is set back from there
// misses nothing, whoever asks, and reads no more twice than it is told; when
// positions cannot be asked, it is said.
func TestWhatTheGroupsHaveReadBecomesCoarse(t *testing.T) {
	for _, run := range []string{"apply", "worker"} {
		t.Run(run, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "orders")
			at := s.transact("orders", 2600)
			tp := cluster.TopicPartition{Topic: "orders"}
			slow := at[len(at)/2]
			for group, position := range map[string]int64{"slow": slow, "quick": at[len(at)-1]} {
				if err := s.clients[source].Commit(t.Context(), group, map[cluster.TopicPartition]cluster.Commit{tp: {Offset: position}}); err != nil {
					t.Fatal(err)
				}
			}
			var m executor.Mirror = s.workers()
			limits := mirror.Limits{Maps: 1, MapsEvery: 50 * time.Millisecond}
			if run == "apply" {
				local := s.local()
				local.SourceGroups, local.Limits = s.clients[source], limits
				m = local
			} else {
				s.working(map[string]worker.Topic{"orders": {Partitions: 1}}, func(c *worker.Config) {
					c.Limits, c.Positions = limits, driver.Positions(s.clients[source])
				})
			}
			if err := m.Begin(t.Context(), []string{"orders"}); err != nil {
				t.Fatal(err)
			}
			s.until("all of it is copied", func() bool { return lagOf(t, m, "orders") == executor.CopyLag{} || s.end("orders") == int64(len(at)) })
			s.until("the state has a coarse map", func() bool {
				all, err := s.shelf.All(t.Context(), "map/")
				if err != nil {
					t.Fatal(err)
				}
				for _, text := range all {
					if bytes.HasPrefix(text, []byte("KOM\x03")) {
						return true
					}
				}
				return false
			})
			if run == "apply" {
				s.until("it says who holds them back", func() bool { return strings.Contains(lagOf(t, m, "orders").Text, `group "slow" has not read further`) })
			} else {
				s.until("its entry says who holds them back", func() bool {
					entries, err := mirror.Entries(t.Context(), s.shelf)
					return err == nil && strings.Contains(entries["w1"].MapsWhole, `group "slow" has not read further`) && entries["w1"].Maps > 0
				})
			}
			rounded := s.places(m, at, slow)
			if err := m.End(t.Context(), []string{"orders"}); err != nil {
				t.Fatal(err)
			}
			if again := s.places(s.workers(), at, slow); rounded == 0 || again == 0 {
				t.Errorf("%d and %d places are rounded", rounded, again)
			}
		})
	}
}

// places holds the places of positions to what the copy promises, and counts those
// that are rounded. at is where each record is on the source.
func (s *stage) places(m executor.Mirror, at []int64, slow int64) (rounded int) {
	s.t.Helper()
	tp := cluster.TopicPartition{Topic: "orders"}
	for i := 0; i < len(at); i += 101 {
		var place executor.CopyPlace
		s.until("the place is known", func() bool { // the map is kept after the records have arrived
			got, err := m.Translate(s.t.Context(), map[cluster.TopicPartition]int64{tp: at[i]})
			if err != nil {
				s.t.Fatal(err)
			}
			var known bool
			place, known = got[tp]
			return known
		})
		if place.Offset > int64(i) || place.Latest < int64(i) || place.Latest > place.Offset && at[i] >= slow {
			s.t.Fatalf("the record at %d is at %d, and said to be at %+v", at[i], i, place)
		}
		if place.Latest > place.Offset {
			rounded++
		}
	}
	return rounded
}

// Positions are as the cluster tells them.
func TestPositionsOfACluster(t *testing.T) {
	told := told{{Topic: "t", Partition: 3}: {Offset: 7, Group: "g"}}
	got, err := driver.Positions(told)(t.Context(), []string{"t"})
	if err != nil || len(got) != 1 || got[wire.Partition{Topic: "t", Number: 3}] != (mirror.Position{Offset: 7, Group: "g"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := driver.Positions(told)(t.Context(), []string{"u"}); err == nil || got != nil {
		t.Errorf("it refuses, and still %v", got)
	}
}

type told map[cluster.TopicPartition]cluster.LowestCommit

func (g told) LowestCommits(_ context.Context, topics []string) (map[cluster.TopicPartition]cluster.LowestCommit, error) {
	if topics[0] != "t" {
		return nil, fmt.Errorf("topic %q is not shown", topics[0])
	}
	return g, nil
}
