package driver

import (
	"context"
	"errors"
	"testing"
	"time"

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
	if err != nil || got[at] != 7 {
		t.Errorf("its place is %v, %v", got, err)
	}
}
