package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
	"kplan/plan"
)

// copying is the mirror that lives in apply itself (R17). It goes on until it is
// closed.
type copying struct {
	plan           *plan.Mirror
	rate           int64 // bytes a second; 0: no limit
	clusters       *clusters
	source, target *wire.Client
	shelf          mirror.Shelf
	keeper         *mirror.Keeper
	producer       mirror.Producer
	lease          func() error
	log            *slog.Logger

	mu     sync.Mutex
	copier *mirror.Copier // nil: nothing was begun
	stop   context.CancelFunc
	ended  chan error
	maps   map[wire.Partition]*mirror.Map // of partitions whose copy has ended
	topics []string                       // that are copied
	quit   chan struct{}                  // closed at the end
}

var _ executor.Mirror = (*copying)(nil)

// mirrorOf opens the mirror of a plan, in this process or in workers, with the
// identity that the state gives it. The lock is held by the caller.
func (a *app) mirrorOf(ctx context.Context, p *plan.Plan, c *clusters, s *session, log *slog.Logger) (executor.Mirror, func() error, error) {
	if p.Migration.Mirror == nil {
		return nil, func() error { return nil }, nil
	}
	shelf, closeShelf, err := a.shelf(ctx, p, p.State)
	if err != nil {
		return nil, nil, err
	}
	m := &copying{
		plan: p.Migration.Mirror, rate: p.Migration.Mirror.BytesPerSecond, clusters: c, shelf: shelf, keeper: mirror.NewKeeper(shelf), lease: s.held.Check, log: log,
		maps: map[wire.Partition]*mirror.Map{}, quit: make(chan struct{}),
	}
	m.keeper.Lease = m.lease
	if m.source, err = a.dataPath(p.Migration.Source, sourcePool); err == nil {
		m.target, err = a.dataPath(p.Migration.Target, targetPool)
	}
	if err == nil { // workers find it there
		m.producer, err = mirror.Identify(ctx, shelf, m.target, c.target.ClusterID(), copyBegun(s.state), nil)
	}
	if err == nil {
		err = mirror.Govern(ctx, shelf, m.lease)
	}
	closing := func() error { return errors.Join(m.close(), closeShelf()) }
	if err == nil && m.plan.Run == "apply" {
		err = alone(ctx, shelf)
	}
	if err != nil {
		return nil, nil, errors.Join(err, closing())
	}
	if p.Migration.Mirror.Run == "worker" {
		return &asking{shelf: shelf, keeper: m.keeper, source: c.source, command: a.command("mirror"), silent: map[string]int64{}}, closing, nil
	}
	return m, closing, nil
}

// alone refuses workers beside a mirror that lives in apply: nobody would wait
// for them at the end of a copy.
func alone(ctx context.Context, shelf mirror.Shelf) error {
	entries, err := mirror.Entries(ctx, shelf)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if time.Since(e.WrittenAt) < e.Silence {
			return fmt.Errorf("the plan's mirror runs in apply, and %s gave a sign of life %s ago. End the workers, or write run = \"worker\"; one that was killed is taken for dead after %s",
				e.Name(), time.Since(e.WrittenAt).Round(time.Second), e.Silence)
		}
	}
	return nil
}

// close ends the copy in order, and the connections.
func (m *copying) close() error {
	close(m.quit)
	m.mu.Lock()
	copier := m.copier
	m.mu.Unlock()
	var err error
	if copier != nil {
		m.stop()
		if err = <-m.ended; err == nil && m.lease() == nil {
			var landed []wire.Partition
			for _, s := range copier.Status() {
				if s.Quiet && s.Flying == 0 {
					landed = append(landed, s.Partition)
				}
			}
			err = m.keeper.Settle(context.Background(), landed)
		}
	}
	for _, c := range []*wire.Client{m.source, m.target} {
		if c != nil {
			c.Close()
		}
	}
	return err
}

// Begin copies the topics, or goes on.
func (m *copying) Begin(ctx context.Context, topics []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := mirror.Direct(ctx, m.shelf, ways(topics, mirror.Forward)); err != nil {
		return err
	}
	for _, t := range topics {
		if !slices.Contains(m.topics, t) {
			m.topics = append(m.topics, t)
		}
	}
	return m.take(ctx, topics)
}

// take copies the partitions of topics that are not copied yet. m.mu is held.
func (m *copying) take(ctx context.Context, topics []string) error {
	partitions, err := m.partitions(ctx, topics)
	if err != nil || len(partitions) == 0 && m.copier != nil {
		return err
	}
	assigned, err := m.keeper.Assignments(ctx, partitions)
	if err != nil {
		return err
	}
	if err := m.limits(ctx, topics, assigned); err != nil {
		return err
	}
	if err := m.keeper.Unsettle(ctx, partitions); err != nil {
		return err
	}
	for _, p := range partitions {
		delete(m.maps, p)
	}
	if m.copier != nil {
		return m.copier.Add(assigned)
	}
	memory, err := producerMemory(ctx, m.clusters.target)
	if err != nil {
		return err
	}
	copier, err := mirror.New(mirror.Config{
		Source: m.source, Target: m.target, Producer: m.producer, Partitions: assigned, Store: m.keeper, Log: m.log,
		Lease: func(wire.Partition) error { return m.lease() }, MaxAge: memory, Wait: worker.DefaultWait,
	})
	if err != nil {
		return err
	}
	copier.SetThrottle(m.rate)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.copier, m.stop, m.ended = copier, stop, make(chan error, 1)
	go func() { m.ended <- copier.Run(running) }()
	go m.follow(running)
	return nil
}

// partitionsEvery is how often is looked whether topics have got partitions.
const partitionsEvery = 10 * time.Second

// follow takes partitions that topics get while they are copied.
func (m *copying) follow(ctx context.Context) {
	for {
		select {
		case <-m.quit:
			return
		case <-time.After(partitionsEvery):
		}
		m.mu.Lock()
		err := m.take(ctx, m.topics)
		m.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			m.log.Warn("looking for new partitions", "err", err)
		}
	}
}

// Throttle holds the copy back.
func (m *copying) Throttle(_ context.Context, bytesPerSecond int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rate = bytesPerSecond; m.copier != nil {
		m.copier.SetThrottle(bytesPerSecond)
	}
	return nil
}

// partitions lists those of topics that are not copied yet.
func (m *copying) partitions(ctx context.Context, topics []string) ([]wire.Partition, error) {
	told, err := m.source.Metadata(ctx, topics)
	if err != nil {
		return nil, err
	}
	there, err := m.target.Metadata(ctx, topics)
	if err != nil {
		return nil, err
	}
	under := m.under()
	var all []wire.Partition
	for _, name := range topics {
		if err := cmp.Or(told.Topics[name].Err, there.Topics[name].Err); err != nil {
			return nil, fmt.Errorf("looking at topic %q: %w", name, err)
		}
		for i := range min(len(told.Topics[name].Leaders), len(there.Topics[name].Leaders)) {
			if p := (wire.Partition{Topic: name, Number: int32(i)}); !under[p] {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// under returns the partitions that are copied now. m.mu is held.
func (m *copying) under() map[wire.Partition]bool {
	under := map[wire.Partition]bool{}
	if m.copier != nil {
		for _, s := range m.copier.Status() {
			under[s.Partition] = true
		}
	}
	return under
}

// limits adds what the topics' configs say about the copy of partitions.
func (m *copying) limits(ctx context.Context, topics []string, assigned map[wire.Partition]mirror.Assignment) error {
	source, err := m.clusters.source.TopicsNamed(ctx, topics)
	if err != nil {
		return err
	}
	target, err := m.clusters.target.TopicsNamed(ctx, topics)
	if err != nil {
		return err
	}
	sizes := map[string]int{}
	for p := range assigned {
		sizes[p.Topic] = max(sizes[p.Topic], int(p.Number)+1)
	}
	if sizes, err = m.keeper.Sizes(ctx, sizes); err != nil {
		return err
	}
	for p, a := range assigned {
		a.Ahead = strings.Contains(source[p.Topic].Configs["cleanup.policy"].Value, "compact")
		if n, err := strconv.Atoi(target[p.Topic].Configs["max.message.bytes"].Value); err == nil {
			a.MaxBatch = n
		}
		a.Latest = m.plan.Start == "latest" && int(p.Number) < sizes[p.Topic] // a partition that is added later has a beginning
		assigned[p] = a
	}
	return nil
}

// End ends the copy of topics and notes that nothing is under way.
func (m *copying) End(ctx context.Context, topics []string) error {
	m.mu.Lock()
	m.topics = slices.DeleteFunc(m.topics, func(t string) bool { return slices.Contains(topics, t) })
	// Should the plan have workers one day, they have to know.
	_, err := mirror.Direct(ctx, m.shelf, ways(topics, mirror.Halted))
	copier := m.copier
	m.mu.Unlock()
	if err != nil || copier == nil {
		return err
	}
	var leaving []wire.Partition
	for _, s := range copier.Status() {
		if slices.Contains(topics, s.Topic) {
			leaving = append(leaving, s.Partition)
		}
	}
	left, err := copier.Remove(ctx, leaving)
	if err != nil {
		return fmt.Errorf("ending the copy of %s: %w", strings.Join(topics, ", "), err)
	}
	select { // a request that was lost may still arrive, and not be recognised (R23)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Until(left.Until)):
	}
	return m.keeper.Settle(ctx, left.Settled)
}

// Lag adds up what is not copied yet.
func (m *copying) Lag(_ context.Context, topics []string) (executor.CopyLag, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.copier == nil {
		return executor.CopyLag{}, nil
	}
	return lagOf(m.copier.Status(), topics)
}

// Translate returns the places of positions before which everything is copied.
func (m *copying) Translate(ctx context.Context, positions map[cluster.TopicPartition]int64) (map[cluster.TopicPartition]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var unknown []wire.Partition
	known := map[wire.Partition]*mirror.Map{}
	under := m.under()
	for tp := range positions {
		p := wire.Partition{Topic: tp.Topic, Number: tp.Partition}
		one, ended := m.maps[p]
		switch {
		case under[p]: // it grows: what the shelf has is behind it
			if now, ok := m.copier.Map(p); ok {
				known[p] = now
			}
		case ended:
			known[p] = one
		default:
			unknown = append(unknown, p)
		}
	}
	if len(unknown) > 0 {
		loaded, _, err := m.keeper.Load(ctx, unknown)
		if err != nil {
			return nil, err
		}
		maps.Copy(m.maps, loaded)
		maps.Copy(known, loaded)
	}
	if m.copier != nil {
		if _, err := lagOf(m.copier.Status(), nil); err != nil {
			return nil, err
		}
	}
	return translate(known, positions)
}
