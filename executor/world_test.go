package executor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
)

// world is two clusters in memory with the services that use them: small
// enough to be right, and quick enough to be run for every crash point. It
// lives in a synctest bubble, so that minutes of waiting take no time.
type world struct {
	mu       sync.Mutex
	source   *logs
	target   *logs
	services []*worker
	reset    string                     // auto.offset.reset of consumers: latest unless set
	seqs     map[string]int             // "topic/key" → last sequence number written
	handled  map[string][]handledRec    // "group/topic" → what the group handled, in order
	onCall   func(op, arg string)       // called before each request and program, one at a time
	calling  chan struct{}              // a lock in which a test may sleep: a mutex would stop the bubble's time
	evicted  map[string][]string        // group → instance ids that RemoveMembers was given
	altered  []string                   // AlterConfigs calls: topic key=value
	failing  func(op, arg string) error // injected failures
	heard    heard                      // what mirrors have read
	nobody   bool                       // carries the copy out
	hasty    bool                       // they call copied what they will copy
	rounded  int64                      // records by which mirrors round the place of a position down
	lag      func() executor.CopyLag    // that they tell; nil: a little
	mirror   *copying                   // of the kplan that runs; nil: none
	rates    []int64                    // that the mirror was given
	errors   []string                   // what must never be, and was
}

type handledRec struct {
	key, seq int
	side     cluster.Side
}

func newWorld() *world {
	return &world{
		heard: heard{}, source: newLogs(), target: newLogs(), reset: "latest", calling: make(chan struct{}, 1),
		seqs: map[string]int{}, handled: map[string][]handledRec{}, evicted: map[string][]string{},
	}
}

func (w *world) called(op, arg string) {
	w.calling <- struct{}{}
	defer func() { <-w.calling }()
	if w.onCall != nil {
		w.onCall(op, arg)
	}
}

// hook sets onCall while an engine runs.
func (w *world) hook(f func(op, arg string)) {
	w.calling <- struct{}{}
	defer func() { <-w.calling }()
	w.onCall = f
}

func (w *world) on(side cluster.Side) *logs {
	if side == cluster.Target {
		return w.target
	}
	return w.source
}

// entry is one offset of a log.
type entry struct {
	key, seq int
	pid      int64
	marker   bool // a transaction marker: nobody's record
	aborted  bool
	open     bool // in a transaction that has not ended
}

type partition struct {
	log          []entry
	start        int64
	unreplicated int64     // so many entries are above the high watermark
	stable       int64     // no transaction is open below
	opened       time.Time // since when a transaction is open, where its coordinator tells
}

func (p *partition) ends() cluster.LogEnds {
	e := cluster.LogEnds{LogStart: p.start, LogEnd: int64(len(p.log)), HighWatermark: int64(len(p.log)) - p.unreplicated}
	for p.stable < e.HighWatermark && !p.log[p.stable].open {
		p.stable++
	}
	e.LastStable = min(p.stable, e.HighWatermark)
	return e
}

// next returns the first record that a read_committed consumer sees.
func (p *partition) next(from, before int64) (int64, entry, bool) {
	for o := max(from, p.start); o < min(before, p.ends().LastStable); o++ {
		if r := p.log[o]; !r.marker && !r.aborted {
			return o, r, true
		}
	}
	return 0, entry{}, false
}

type groupState struct {
	state   string // forced; empty: by members
	members []cluster.Member
	commits map[cluster.TopicPartition]cluster.Commit
}

// logs is one cluster. Its lock is the world's.
type logs struct {
	topics  map[string][]*partition
	behind  func(cluster.TopicPartition) bool // its leader shows less than there is; nil: none does
	configs map[string]map[string]cluster.Config
	groups  map[string]*groupState
	rules   rulebook
	clients clientbook
}

func newLogs() *logs {
	return &logs{topics: map[string][]*partition{}, configs: map[string]map[string]cluster.Config{}, groups: map[string]*groupState{}}
}

func (l *logs) create(topic string, partitions int) {
	for range partitions {
		l.topics[topic] = append(l.topics[topic], &partition{})
	}
	l.configs[topic] = map[string]cluster.Config{"retention.ms": {Value: "604800000", Source: cluster.SourceDefault}}
}

func (l *logs) group(id string) *groupState {
	if l.groups[id] == nil {
		l.groups[id] = &groupState{commits: map[cluster.TopicPartition]cluster.Commit{}}
	}
	return l.groups[id]
}

func (l *logs) part(tp cluster.TopicPartition) *partition { return l.topics[tp.Topic][tp.Partition] }

// view is one engine's connection to one cluster. After a crash every call
// fails and changes nothing, as for a process that is gone.
type view struct {
	w    *world
	side cluster.Side
	dead func(effect bool) error
}

// call locks the world for one request.
func (v *view) call(ctx context.Context, op, arg string, effect bool) (func(), error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	v.w.called(op, arg)
	if v.dead != nil {
		if err := v.dead(effect); err != nil {
			return nil, err
		}
	}
	v.w.mu.Lock()
	if v.w.failing != nil {
		if err := v.w.failing(v.side.String()+" "+op, arg); err != nil {
			v.w.mu.Unlock()
			return nil, err
		}
	}
	return v.w.mu.Unlock, nil
}

func (v *view) logs() *logs { return v.w.on(v.side) }

func (v *view) CreateTopics(ctx context.Context, specs []cluster.TopicSpec, _ bool) (map[string]error, error) {
	became := map[string]error{}
	for _, spec := range specs {
		if err := v.createTopic(ctx, spec); err != nil {
			if !errors.Is(err, cluster.ErrTopicExists) {
				return nil, err
			}
			became[spec.Name] = err
		}
	}
	return became, nil
}

func (v *view) createTopic(ctx context.Context, spec cluster.TopicSpec) error {
	done, err := v.call(ctx, "create", spec.Name, true)
	if err != nil {
		return err
	}
	defer done()
	if v.logs().topics[spec.Name] != nil {
		return fmt.Errorf("creating topic %q: %w", spec.Name, cluster.ErrTopicExists)
	}
	v.logs().create(spec.Name, spec.Partitions)
	for k, c := range spec.Configs {
		v.logs().configs[spec.Name][k] = cluster.Config{Value: c, Source: cluster.SourceTopic}
	}
	return nil
}

func (v *view) GrowTopics(ctx context.Context, totals map[string]int, _ bool) (map[string]error, error) {
	for _, topic := range slices.Sorted(maps.Keys(totals)) {
		if err := v.grow(ctx, topic, totals[topic]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (v *view) grow(ctx context.Context, topic string, total int) error {
	done, err := v.call(ctx, "partitions", topic, true)
	if err != nil {
		return err
	}
	defer done()
	for len(v.logs().topics[topic]) < total {
		v.logs().topics[topic] = append(v.logs().topics[topic], &partition{})
	}
	return nil
}

func (v *view) AlterTopics(ctx context.Context, changes map[string]map[string]*string, _ bool) (map[string]error, error) {
	for _, topic := range slices.Sorted(maps.Keys(changes)) {
		if err := v.alter(ctx, topic, changes[topic]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (v *view) alter(ctx context.Context, topic string, changes map[string]*string) error {
	done, err := v.call(ctx, "alter", topic, true)
	if err != nil {
		return err
	}
	defer done()
	for k, c := range changes {
		if c == nil {
			v.logs().configs[topic][k] = cluster.Config{Value: "604800000", Source: cluster.SourceDefault}
			v.w.altered = append(v.w.altered, topic+" "+k+" unset")
			continue
		}
		v.logs().configs[topic][k] = cluster.Config{Value: *c, Source: cluster.SourceTopic}
		v.w.altered = append(v.w.altered, topic+" "+k+"="+*c)
	}
	return nil
}

func (v *view) TopicsNamed(ctx context.Context, names []string) (map[string]cluster.Topic, error) {
	done, err := v.call(ctx, "topics", "", false)
	if err != nil {
		return nil, err
	}
	defer done()
	out := map[string]cluster.Topic{}
	for name, ps := range v.logs().topics {
		if !slices.Contains(names, name) {
			continue
		}
		t := cluster.Topic{Name: name, Configs: map[string]cluster.Config{}}
		for i := range ps {
			t.Partitions = append(t.Partitions, cluster.Partition{ID: int32(i), Leader: 1, Replicas: []int32{1}, ISR: []int32{1}})
		}
		for k, c := range v.logs().configs[name] {
			t.Configs[k] = c
		}
		out[name] = t
	}
	return out, nil
}

func (v *view) LogEnds(ctx context.Context, topics []string) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	done, err := v.call(ctx, "ends", fmt.Sprint(topics), false)
	if err != nil {
		return nil, err
	}
	defer done()
	out := map[cluster.TopicPartition]cluster.LogEnds{}
	for _, t := range topics {
		if v.logs().topics[t] == nil {
			return nil, fmt.Errorf("topic %q does not exist", t)
		}
		for i, p := range v.logs().topics[t] {
			out[cluster.TopicPartition{Topic: t, Partition: int32(i)}] = p.ends()
		}
	}
	return out, nil
}

func (v *view) FirstRecord(ctx context.Context, tp cluster.TopicPartition, from, before int64) (cluster.Record, bool, error) {
	done, err := v.call(ctx, "look", tp.String(), false)
	if err != nil {
		return cluster.Record{}, false, err
	}
	defer done()
	if behind := v.logs().behind; behind != nil && behind(tp) {
		return cluster.Record{}, false, fmt.Errorf("%s: %w", tp, cluster.ErrBehind)
	}
	o, e, ok := v.logs().part(tp).next(from, before)
	return cluster.Record{Offset: o, ProducerID: e.pid}, ok, nil
}

func (v *view) StableCommits(ctx context.Context, group string, partitions map[string][]int32) (map[cluster.TopicPartition]cluster.Commit, error) {
	done, err := v.call(ctx, "commits", group, false)
	if err != nil {
		return nil, err
	}
	defer done()
	out := map[cluster.TopicPartition]cluster.Commit{}
	for t, ps := range partitions {
		for _, p := range ps {
			tp := cluster.TopicPartition{Topic: t, Partition: p}
			if c, ok := v.logs().group(group).commits[tp]; ok {
				out[tp] = c
			}
		}
	}
	return out, nil
}

func (v *view) Commit(ctx context.Context, group string, positions map[cluster.TopicPartition]cluster.Commit) error {
	done, err := v.call(ctx, "commit", group, true)
	if err != nil {
		return err
	}
	defer done()
	g := v.logs().group(group)
	if len(g.members) > 0 {
		return cluster.ErrGroupHasMembers
	}
	for tp, c := range positions {
		g.commits[tp] = c
	}
	return nil
}

func (v *view) Group(ctx context.Context, id string) (cluster.Group, error) {
	done, err := v.call(ctx, "group", id, false)
	if err != nil {
		return cluster.Group{}, err
	}
	defer done()
	g := v.logs().group(id)
	out := cluster.Group{ID: id, Type: cluster.GroupClassic, State: "Empty", Commits: map[cluster.TopicPartition]cluster.Commit{}}
	for tp, c := range g.commits {
		out.Commits[tp] = c
	}
	if len(g.members) > 0 {
		out.State = "Stable"
	}
	if g.state != "" {
		out.State = g.state
	}
	out.Members = slices.Clone(g.members)
	return out, nil
}

func (v *view) RemoveMembers(ctx context.Context, group string, members []cluster.Member) error {
	done, err := v.call(ctx, "evict", group, true)
	if err != nil {
		return err
	}
	defer done()
	g := v.logs().group(group)
	for _, m := range members {
		v.w.evicted[group] = append(v.w.evicted[group], m.InstanceID)
		g.members = slices.DeleteFunc(g.members, func(x cluster.Member) bool { return x.ID == m.ID })
	}
	return nil
}

var errDead = errors.New("this kplan was killed")
