package driver

import (
	"context"
	"testing"
	"time"

	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// logsOf are those that a cluster tells of.
type logsOf map[cluster.TopicPartition]cluster.LogEnds

func (l logsOf) LogEnds(context.Context, []string) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	return l, nil
}

// Of a topic that the source does not tell of nothing is known: its lag is not zero.
func TestLagOfATopicThatIsNotTold(t *testing.T) {
	l := newLags(logsOf{{Topic: "there"}: {LastStable: 5}})
	asked := 0
	copied := func(context.Context, []string) (map[wire.Partition]int64, error) {
		asked++
		return map[wire.Partition]int64{{Topic: "there"}: 5, {Topic: "gone"}: 7}, nil
	}
	look := func(want int) {
		t.Helper()
		lag, err := l.of(t.Context(), []string{"there", "gone"}, copied)
		if err != nil || lag.Records != 0 || lag.Unknown != 1 {
			t.Errorf("the lag is %+v, %v", lag, err)
		}
		if asked != want {
			t.Errorf("it was asked %d times, want %d", asked, want)
		}
	}
	older := func(by time.Duration) { // however slow this machine is
		for topic, known := range l.known {
			known.at = known.at.Add(-by)
			l.known[topic] = known
		}
	}
	look(1)
	older(-time.Hour)
	look(1) // an answer that was kept
	older(time.Hour + lookEvery)
	look(2)
}

// A map may be older than what is known to be acknowledged, since both are kept one
// after the other: what lies between has no place yet, and not that of the end.
func TestPlaceBehindAnOlderMap(t *testing.T) {
	load := func(context.Context, []wire.Partition) (map[wire.Partition]*mirror.Map, error) {
		m, err := mirror.NewMap(mirror.Point{})
		if err == nil {
			err = m.Append(mirror.Segment{Length: 10})
		}
		return map[wire.Partition]*mirror.Map{{Topic: "orders"}: m}, err
	}
	at := cluster.TopicPartition{Topic: "orders"}
	for end, known := range map[mirror.Point]bool{{Source: 100, Target: 90}: false, {Source: 100, Target: 10}: true} {
		k := newPlaces(load) // one copy has one of these ends: what is known of the other is not kept
		got, err := k.of(t.Context(), map[cluster.TopicPartition]int64{at: 50}, map[wire.Partition]mirror.Point{{Topic: "orders"}: end})
		if to, found := got[at]; err != nil || found != known || found && to.Offset != end.Target {
			t.Errorf("acknowledged up to %+v: its place is %v, %v", end, got, err)
		}
	}
}
