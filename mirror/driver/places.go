package driver

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// places knows where positions on the source are on the target. What was looked up
// once stays so: below what the target has acknowledged a map does not change. It
// is safe for concurrent use.
type places struct {
	// load returns the maps of partitions as far as the target has acknowledged.
	load func(ctx context.Context, partitions []wire.Partition) (map[wire.Partition]*mirror.Map, error)

	mu    sync.Mutex                        // guards what follows
	known map[cluster.TopicPartition]placed // what was looked up last
	maps  map[wire.Partition]*mirror.Map
}

// placed is where a position on the source is on the target.
type placed struct {
	position int64
	at       executor.CopyPlace
}

// exactly is a place that is known.
func exactly(offset int64) executor.CopyPlace {
	return executor.CopyPlace{Offset: offset, Latest: offset}
}

func newPlaces(load func(context.Context, []wire.Partition) (map[wire.Partition]*mirror.Map, error)) *places {
	return &places{load: load, known: map[cluster.TopicPartition]placed{}, maps: map[wire.Partition]*mirror.Map{}}
}

// of returns the places of positions. acked says how far the copies of their
// partitions are; positions beyond that, and in partitions of which it is not
// known, are left out. Maps are read only for what no shorter way tells.
func (k *places) of(ctx context.Context, positions map[cluster.TopicPartition]int64, acked map[wire.Partition]mirror.Point) (map[cluster.TopicPartition]executor.CopyPlace, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := map[cluster.TopicPartition]executor.CopyPlace{}
	var missing []wire.Partition
	open := map[cluster.TopicPartition]int64{}
	for tp, at := range positions {
		p := wire.Partition{Topic: tp.Topic, Number: tp.Partition}
		end, told := acked[p]
		last, before := k.known[tp]
		switch {
		case !told || at > end.Source:
		case before && last.position == at:
			found[tp] = last.at
		case at == end.Source:
			found[tp] = exactly(end.Target)
		default:
			open[tp] = at
			if m := k.maps[p]; m == nil || m.End().Source < at {
				missing = append(missing, p)
			}
		}
	}
	if len(missing) > 0 {
		k.mu.Unlock() // whoever is to answer may be waiting to forget
		loaded, err := k.load(ctx, missing)
		k.mu.Lock()
		if err != nil {
			return nil, err
		}
		maps.Copy(k.maps, loaded)
	}
	for tp, at := range open {
		p := wire.Partition{Topic: tp.Topic, Number: tp.Partition}
		m := k.maps[p]
		switch {
		case m == nil:
			continue
		case m.End().Source < at && m.End().Target < acked[p].Target:
			continue // what is acknowledged is not all in the map that was kept
		case m.End().Source < at: // behind the last record nothing is to be copied
			found[tp] = exactly(acked[p].Target)
		default:
			to, err := m.Place(at)
			if err != nil {
				return nil, fmt.Errorf("translating offset %d of %s: %w", at, tp, err)
			}
			found[tp] = executor.CopyPlace{Offset: to.Target, Latest: to.Latest}
		}
	}
	for tp, to := range found {
		k.known[tp] = placed{positions[tp], to}
	}
	return found, nil
}

// prove adds to acked what an older kplan has kept, which did not note what was
// acknowledged: such a map counts as far as the target's log goes (R5).
func (k *places) prove(ctx context.Context, keeper *mirror.Keeper, target Logs, positions map[cluster.TopicPartition]int64, acked map[wire.Partition]mirror.Point) error {
	missing := map[cluster.TopicPartition]bool{}
	for tp := range positions {
		if _, ok := acked[wire.Partition{Topic: tp.Topic, Number: tp.Partition}]; !ok {
			missing[tp] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	partitions, topics := partitionsIn(missing)
	_, unproven, err := keeper.Load(ctx, partitions)
	if err != nil || len(unproven) == 0 {
		return err
	}
	ends, err := target.LogEnds(ctx, topics)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, m := range unproven {
		e, ok := ends[cluster.TopicPartition{Topic: p.Topic, Partition: p.Number}]
		if !ok || e.HighWatermark < e.LogEnd {
			continue
		}
		if err := m.CutTarget(e.LogEnd); err != nil {
			return fmt.Errorf("%s[%d]: %w", p.Topic, p.Number, err)
		}
		k.maps[p], acked[p] = m, m.End()
	}
	return nil
}

// forget lets maps go: their copy goes on elsewhere.
func (k *places) forget(topics map[string]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.maps, func(p wire.Partition, _ *mirror.Map) bool { return topics[p.Topic] })
	maps.DeleteFunc(k.known, func(tp cluster.TopicPartition, _ placed) bool { return topics[tp.Topic] })
}
