package driver

import (
	"context"
	"errors"
	"testing"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// While maps are read others may forget theirs: what takes new partitions does so
// while it keeps everybody from the copier, which the reading asks.
func TestReadingMapsHoldsNobodyUp(t *testing.T) {
	var k *places
	k = newPlaces(func(context.Context, []wire.Partition) (map[wire.Partition]*mirror.Map, error) {
		forgotten := make(chan struct{})
		go func() {
			defer close(forgotten)
			k.forget(map[string]bool{"payments": true})
		}()
		select {
		case <-forgotten:
		case <-time.After(10 * time.Second):
			return nil, errors.New("nobody can forget anything meanwhile")
		}
		m, err := mirror.NewMap(mirror.Point{})
		if err == nil {
			err = m.Append(mirror.Segment{Source: 0, Target: 3, Length: 10})
		}
		return map[wire.Partition]*mirror.Map{{Topic: "orders"}: m}, err
	})
	at := cluster.TopicPartition{Topic: "orders"}
	acked := map[wire.Partition]mirror.Point{{Topic: "orders"}: {Source: 10, Target: 13}}
	got, err := k.of(t.Context(), map[cluster.TopicPartition]int64{at: 4}, acked)
	if err != nil || got[at] != exactly(7) {
		t.Errorf("its place is %v, %v", got, err)
	}
}

// A map that its owner did not come to keep whole says nothing of positions behind
// its end, though more is acknowledged: only behind all that is, nothing is left
// to copy.
func TestPlacesBehindAMapThatIsShort(t *testing.T) {
	m, err := mirror.NewMap(mirror.Point{})
	if err == nil {
		err = m.Append(mirror.Segment{Source: 0, Target: 0, Length: 10})
	}
	if err != nil {
		t.Fatal(err)
	}
	at := cluster.TopicPartition{Topic: "orders"}
	for _, c := range []struct {
		acked, position int64
		want            executor.CopyPlace
		known           bool
	}{{30, 20, executor.CopyPlace{}, false}, {30, 4, exactly(4), true}, {10, 20, exactly(10), true}} {
		k := newPlaces(func(context.Context, []wire.Partition) (map[wire.Partition]*mirror.Map, error) {
			return map[wire.Partition]*mirror.Map{{Topic: "orders"}: m.Clone()}, nil
		})
		got, err := k.of(t.Context(), map[cluster.TopicPartition]int64{at: c.position}, map[wire.Partition]mirror.Point{{Topic: "orders"}: {Source: 40, Target: c.acked}})
		place, known := got[at]
		if err != nil || known != c.known || place != c.want {
			t.Errorf("with %d acknowledged, position %d is at %+v, known %t, %v", c.acked, c.position, place, known, err)
		}
	}
}
