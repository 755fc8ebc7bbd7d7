package driver

import (
	"cmp"
	"context"
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
)

// Topics describes topics; those that are missing are absent. kafka.Client does.
type Topics interface {
	TopicsNamed(ctx context.Context, names []string) (map[string]cluster.Topic, error)
}

// Local is the mirror that lives in apply itself. It goes on until it is closed.
// It is made by NewLocal.
type Local struct {
	Source, Target             *wire.Client
	SourceTopics, TargetTopics Topics
	TargetLogs                 Logs
	SourceGroups               Groups // nil: the offset maps stay as they are
	Shelf                      mirror.Shelf
	Keeper                     *mirror.Keeper
	Producer                   mirror.Producer
	Lease                      func() error
	Latest                     bool  // new copies begin at the source's log end
	BytesPerSecond             int64 // 0: no limit
	// Memory is for how long the target's brokers know a producer (R23).
	Memory func(context.Context) (time.Duration, error)
	Wait   time.Duration // for what may be under way (R23), see mirror.Config; 0: a minute
	Limits mirror.Limits
	Log    *slog.Logger

	lags   *lags
	places *places

	mu     sync.Mutex     // guards what follows
	copier *mirror.Copier // nil: nothing was begun
	stop   context.CancelFunc
	ended  chan error
	topics []string      // that are copied
	quit   chan struct{} // closed at the end
}

var _ executor.Mirror = (*Local)(nil)

// NewLocal makes a driver. It does not speak to anybody yet.
func NewLocal(source Logs, m *Local) *Local {
	m.lags, m.places, m.quit = newLags(source), newPlaces(m.load), make(chan struct{})
	if m.Log == nil {
		m.Log = slog.New(slog.DiscardHandler)
	}
	return m
}

// Close ends the copy in order, and the connections.
func (m *Local) Close() error {
	close(m.quit)
	m.mu.Lock()
	copier := m.copier
	m.mu.Unlock()
	var err error
	if copier != nil {
		m.stop()
		if err = <-m.ended; err == nil && m.Lease() == nil {
			var landed []wire.Partition
			for _, s := range copier.Status() {
				if s.Quiet && s.Flying == 0 {
					landed = append(landed, s.Partition)
				}
			}
			err = m.Keeper.Settle(context.Background(), landed)
		}
	}
	for _, c := range []*wire.Client{m.Source, m.Target} {
		if c != nil {
			c.Close()
		}
	}
	return err
}

// Begin copies the topics, or goes on.
func (m *Local) Begin(ctx context.Context, topics []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := mirror.Direct(ctx, m.Shelf, ways(topics, mirror.Forward)); err != nil {
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
func (m *Local) take(ctx context.Context, topics []string) error {
	partitions, err := m.partitions(ctx, topics)
	if err != nil || len(partitions) == 0 && m.copier != nil {
		return err
	}
	assigned, err := m.Keeper.Assignments(ctx, partitions)
	if err != nil {
		return err
	}
	if err := m.limits(ctx, topics, assigned); err != nil {
		return err
	}
	if err := m.unsettle(ctx, assigned); err != nil {
		return err
	}
	again := map[string]bool{}
	for _, p := range partitions {
		again[p.Topic] = true
	}
	m.places.forget(again)
	if m.copier != nil {
		return m.copier.Add(assigned)
	}
	memory, err := m.Memory(ctx)
	if err != nil {
		return err
	}
	conf := mirror.Config{
		Source: m.Source, Target: m.Target, Producer: m.Producer, Partitions: assigned, Store: m.Keeper, Limits: m.Limits, Log: m.Log,
		Lease: func(wire.Partition) error { return m.Lease() }, MaxAge: memory, Wait: cmp.Or(m.Wait, worker.DefaultWait),
	}
	if m.SourceGroups != nil {
		conf.Positions = Positions(m.SourceGroups)
	}
	copier, err := mirror.New(conf)
	if err != nil {
		return err
	}
	copier.SetThrottle(m.BytesPerSecond)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.copier, m.stop, m.ended = copier, stop, make(chan error, 1)
	go func() { m.ended <- copier.Run(running) }()
	go m.follow(running)
	return nil
}

// unsettle takes back what says that partitions were left in order, where something
// does: of thousands that are copied for the first time nothing is kept.
func (m *Local) unsettle(ctx context.Context, assigned map[wire.Partition]mirror.Assignment) error {
	var settled []wire.Partition
	for p, a := range assigned {
		if a.Settled {
			settled = append(settled, p)
		}
	}
	if len(settled) == 0 {
		return nil
	}
	return m.Keeper.Unsettle(ctx, settled)
}

// partitionsEvery is how often is looked whether topics have got partitions.
const partitionsEvery = 10 * time.Second

// follow takes partitions that topics get while they are copied.
func (m *Local) follow(ctx context.Context) {
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
			m.Log.Warn("looking for new partitions", "err", err)
		}
	}
}

// Throttle holds the copy back.
func (m *Local) Throttle(_ context.Context, bytesPerSecond int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.BytesPerSecond = bytesPerSecond; m.copier != nil {
		m.copier.SetThrottle(bytesPerSecond)
	}
	return nil
}

// partitions lists those of topics that are not copied yet.
func (m *Local) partitions(ctx context.Context, topics []string) ([]wire.Partition, error) {
	told, err := m.Source.Metadata(ctx, topics)
	if err != nil {
		return nil, err
	}
	there, err := m.Target.Metadata(ctx, topics)
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
func (m *Local) under() map[wire.Partition]bool {
	under := map[wire.Partition]bool{}
	if m.copier != nil {
		for _, s := range m.copier.Status() {
			under[s.Partition] = true
		}
	}
	return under
}

// limits adds what the topics' configs say about the copy of partitions.
func (m *Local) limits(ctx context.Context, topics []string, assigned map[wire.Partition]mirror.Assignment) error {
	source, err := m.SourceTopics.TopicsNamed(ctx, topics)
	if err != nil {
		return err
	}
	target, err := m.TargetTopics.TopicsNamed(ctx, topics)
	if err != nil {
		return err
	}
	sizes := map[string]int{}
	for p := range assigned {
		sizes[p.Topic] = max(sizes[p.Topic], int(p.Number)+1)
	}
	if sizes, err = m.Keeper.Sizes(ctx, sizes); err != nil {
		return err
	}
	for p, a := range assigned {
		a.Ahead = strings.Contains(source[p.Topic].Configs["cleanup.policy"].Value, "compact")
		if n, err := strconv.Atoi(target[p.Topic].Configs["max.message.bytes"].Value); err == nil {
			a.MaxBatch = n
		}
		a.Latest = m.Latest && int(p.Number) < sizes[p.Topic] // a partition that is added later has a beginning
		assigned[p] = a
	}
	return nil
}

// End ends the copy of topics and notes that nothing is under way.
func (m *Local) End(ctx context.Context, topics []string) error {
	m.mu.Lock()
	m.topics = slices.DeleteFunc(m.topics, func(t string) bool { return slices.Contains(topics, t) })
	// Should the plan have workers one day, they have to know.
	_, err := mirror.Direct(ctx, m.Shelf, ways(topics, mirror.Halted))
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
	return m.Keeper.Settle(ctx, left.Settled)
}

// Lag tells how much the target has not acknowledged. What is not copied by now,
// since its copy has not begun or has ended, is judged by what was kept.
func (m *Local) Lag(ctx context.Context, topics []string) (executor.CopyLag, error) {
	standings := m.standings()
	lag, err := m.lags.of(ctx, topics, func(ctx context.Context, topics []string) (map[wire.Partition]int64, error) {
		acked, err := m.acked(ctx, topics, standings)
		at := map[wire.Partition]int64{}
		for p, a := range acked {
			at[p] = a.Source
		}
		return at, err
	})
	if err != nil {
		return lag, err
	}
	var going []mirror.Standing
	for _, s := range about(standings, topics) {
		if s.Phase != mirror.Stopped {
			going = append(going, s)
		}
	}
	lag.Text = progressText(mirror.Total(going)) + m.mapsText()
	return lag, stopped(standings, topics)
}

// mapsText says why the offset maps grow; "": they do not.
func (m *Local) mapsText() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.copier == nil {
		return ""
	}
	maps := m.copier.Maps()
	if maps.Whole == nil {
		return ""
	}
	return fmt.Sprintf("; offset maps take %.1f MB: %v", float64(maps.Bytes)/1e6, maps.Whole)
}

func (m *Local) standings() []mirror.Standing {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.copier == nil {
		return nil
	}
	return m.copier.Status()
}

// acked is how far the target has acknowledged: what is copied now says so itself,
// the rest was kept.
func (m *Local) acked(ctx context.Context, topics []string, standings []mirror.Standing) (map[wire.Partition]mirror.Point, error) {
	kept, err := m.Keeper.Acked(ctx, topics)
	if err != nil {
		return nil, err
	}
	at := map[wire.Partition]mirror.Point{}
	for p, a := range kept {
		at[p] = a.Point
	}
	for _, s := range about(standings, topics) {
		if s.Phase == mirror.Copying {
			at[s.Partition] = mirror.Point{Source: s.Copied, Target: s.Target}
		}
	}
	return at, nil
}

// load returns maps as far as the target has acknowledged.
func (m *Local) load(ctx context.Context, partitions []wire.Partition) (map[wire.Partition]*mirror.Map, error) {
	m.mu.Lock()
	copier := m.copier
	m.mu.Unlock()
	known := map[wire.Partition]*mirror.Map{}
	var rest []wire.Partition
	for _, p := range partitions {
		if copier != nil {
			if now, ok := copier.Map(p); ok { // it grows: what the shelf has is behind it
				known[p] = now
				continue
			}
		}
		rest = append(rest, p)
	}
	if len(rest) == 0 {
		return known, nil
	}
	kept, _, err := m.Keeper.Load(ctx, rest)
	maps.Copy(known, kept)
	return known, err
}

// Translate returns the places of positions before which everything is copied.
func (m *Local) Translate(ctx context.Context, positions map[cluster.TopicPartition]int64) (map[cluster.TopicPartition]executor.CopyPlace, error) {
	_, topics := partitionsIn(positions)
	standings := m.standings()
	if err := stopped(standings, nil); err != nil {
		return nil, err
	}
	acked, err := m.acked(ctx, topics, standings)
	if err != nil {
		return nil, err
	}
	if err := m.places.prove(ctx, m.Keeper, m.TargetLogs, positions, acked); err != nil {
		return nil, err
	}
	return m.places.of(ctx, positions, acked)
}
