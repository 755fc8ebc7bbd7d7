package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kplan/mirror/wire"
)

// Shelf keeps values by name, durably; executor/state has two of them.
type Shelf interface {
	// Put keeps values; nil: the name is removed.
	Put(ctx context.Context, values map[string][]byte) error
	// All returns the values whose names begin with prefix.
	All(ctx context.Context, prefix string) (map[string][]byte, error)
}

// What the mirror keeps of a partition: where its copy began (JSON), its offset
// map in chunks (binary), how far the target has acknowledged it (JSON), and that
// its last owner ended in order; and of a topic how many partitions it had at
// first.
const (
	beginPrefix   = "begin/"
	mapPrefix     = "map/"
	ackedPrefix   = "acked/"
	settledPrefix = "settled/"
	sizePrefix    = "size/"
)

const (
	chunkSegments  = 4096        // of a map in one chunk: what is full is not written again
	keeperPatience = time.Minute // with a shelf that cannot be reached
)

// Keeper is a Store that keeps maps on a shelf. A map is written in chunks, of
// which only those are written that have changed. It is safe for concurrent use.
// Only one Keeper at a time keeps what is about one partition.
type Keeper struct {
	shelf Shelf
	chunk int // segments in a chunk

	mu    sync.Mutex // guards known
	known map[wire.Partition]chunks
}

var _ Store = (*Keeper)(nil)

// chunks is what lies on the shelf of a map.
type chunks struct {
	count int     // chunks, by number from 0
	full  int     // of these, chunks that can only be cut away
	start Point   // of the map
	edge  Segment // the last one of the full chunks
}

// NewKeeper returns a store on a shelf.
func NewKeeper(shelf Shelf) *Keeper {
	return &Keeper{shelf: shelf, chunk: chunkSegments, known: map[wire.Partition]chunks{}}
}

// about is the part of a name that says which partition it is about.
func about(p wire.Partition) string { return p.Topic + "/" + strconv.Itoa(int(p.Number)) }

// aboutWhat takes such a name apart: the partition, and what follows it.
func aboutWhat(name string) (p wire.Partition, rest string, err error) {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 2 {
		return p, "", fmt.Errorf("reading the mirror's state: %q names no partition: it was not written by kplan", name)
	}
	number, err := strconv.ParseInt(parts[1], 10, 32)
	if err != nil || number < 0 {
		return p, "", fmt.Errorf("reading the mirror's state: %q names no partition: it was not written by kplan", name)
	}
	if len(parts) == 3 {
		rest = parts[2]
	}
	return wire.Partition{Topic: parts[0], Number: int32(number)}, rest, nil
}

func chunkName(p wire.Partition, number int) string {
	return fmt.Sprintf("%s%s/%06d", mapPrefix, about(p), number)
}

// begun is the form of a Beginning on the shelf.
type begun struct {
	Source      int64        `json:"source"` // offsets
	Target      int64        `json:"target"`
	SourceTopic wire.TopicID `json:"source_topic"` // KIP-516
	TargetTopic wire.TopicID `json:"target_topic"`
}

// Begin keeps where the copy of a partition began. It gives up after a minute.
func (k *Keeper) Begin(p wire.Partition, b Beginning) error {
	text, err := json.Marshal(begun{b.Source, b.Target, b.Topics.Source, b.Topics.Target})
	if err != nil {
		return fmt.Errorf("encoding where the copy of %s[%d] begins: %w", p.Topic, p.Number, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), keeperPatience)
	defer cancel()
	return k.shelf.Put(ctx, map[string][]byte{beginPrefix + about(p): text})
}

// Keep keeps maps, and how far they are acknowledged; all of it is durable when
// it returns. It gives up after a minute.
func (k *Keeper) Keep(maps map[wire.Partition]Kept) error {
	ctx, cancel := context.WithTimeout(context.Background(), keeperPatience)
	defer cancel()
	values, next := map[string][]byte{}, map[wire.Partition]chunks{}
	for p, one := range maps {
		k.mu.Lock()
		known := k.known[p]
		k.mu.Unlock()
		made, err := k.changes(p, one.Offsets, known, values)
		if err == nil {
			values[ackedPrefix+about(p)], err = one.Acked.encode()
		}
		if err != nil {
			return fmt.Errorf("keeping the offset map of %s[%d]: %w", p.Topic, p.Number, err)
		}
		next[p] = made
	}
	if err := k.shelf.Put(ctx, values); err != nil {
		return fmt.Errorf("keeping offset maps: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, made := range next {
		k.known[p] = made
	}
	return nil
}

// changes adds to values what the shelf lacks of a map.
func (k *Keeper) changes(p wire.Partition, m *Map, known chunks, values map[string][]byte) (chunks, error) {
	made := k.describe(m)
	first := 0
	if n := known.full * k.chunk; n > 0 && known.start == m.start && n <= len(m.segments) && m.segments[n-1] == known.edge {
		first = known.full
	}
	for i := first; i < made.count; i++ {
		bytes, err := k.part(m, i).MarshalBinary()
		if err != nil {
			return made, err
		}
		values[chunkName(p, i)] = bytes
	}
	for i := made.count; i < known.count; i++ {
		values[chunkName(p, i)] = nil
	}
	return made, nil
}

// describe says how a map lies on the shelf. Its last segment can still grow.
func (k *Keeper) describe(m *Map) chunks {
	n := len(m.segments)
	d := chunks{count: max(1, (n+k.chunk-1)/k.chunk), full: max(0, n-1) / k.chunk, start: m.start}
	if d.full > 0 {
		d.edge = m.segments[d.full*k.chunk-1]
	}
	return d
}

// part is one chunk of a map: a map that begins where the one before ends.
func (k *Keeper) part(m *Map, number int) *Map {
	from, to := number*k.chunk, min((number+1)*k.chunk, len(m.segments))
	part := &Map{start: m.start, end: m.end, segments: m.segments[from:to]}
	if number > 0 {
		last := m.segments[from-1]
		part.start = Point{last.SourceEnd(), last.TargetEnd()}
	}
	if to < len(m.segments) {
		last := m.segments[to-1]
		part.end = Point{last.SourceEnd(), last.TargetEnd()}
	}
	return part
}

// Load returns what the target has acknowledged of partitions whose copy has
// begun, as it was kept last: the newest records may be missing, until the
// partition's owner has drained it, or left it. The maps that were kept by a
// kplan which did not note what was acknowledged are in unproven: each may name
// records that are planned and were never sent, and is good for nothing before
// CutTarget has cut it at the target's true log end (R5).
func (k *Keeper) Load(ctx context.Context, partitions []wire.Partition) (copied, unproven map[wire.Partition]*Map, err error) {
	found, err := k.read(ctx, partitions)
	if err != nil {
		return nil, nil, err
	}
	copied, unproven = map[wire.Partition]*Map{}, map[wire.Partition]*Map{}
	for p, f := range found {
		switch {
		case !f.begun:
		case f.Acked == nil && f.whole > 0:
			unproven[p] = f.Offsets
		default:
			if f.Acked != nil {
				err = f.Offsets.CutTarget(f.Acked.Target)
			}
			if err != nil {
				return nil, nil, fmt.Errorf("reading how far %s[%d] is acknowledged: %w", p.Topic, p.Number, err)
			}
			copied[p] = f.Offsets
		}
	}
	return copied, unproven, nil
}

// Assignments returns how the copies of partitions go on: Offsets, Acked, Topics
// and Settled as they were kept, for new partitions the zero value. From here on the
// Keeper is the one that keeps what is about them.
func (k *Keeper) Assignments(ctx context.Context, partitions []wire.Partition) (map[wire.Partition]Assignment, error) {
	found, err := k.read(ctx, partitions)
	if err != nil {
		return nil, err
	}
	all := map[wire.Partition]Assignment{}
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, f := range found {
		all[p] = f.Assignment
		delete(k.known, p)
		if f.begun {
			known := k.describe(f.Offsets)
			known.count = f.chunks
			known.full = min(known.full, f.whole)
			k.known[p] = known
		}
	}
	return all, nil
}

// Sizes returns how many partitions topics had when the mirror first saw them,
// and remembers the given numbers for those that it has not seen. Where a copy
// begins at the log's end, that is meant for these partitions only: the records
// of later ones are all new.
func (k *Keeper) Sizes(ctx context.Context, topics map[string]int) (map[string]int, error) {
	values, err := k.shelf.All(ctx, sizePrefix)
	if err != nil {
		return nil, fmt.Errorf("reading the mirror's state: %w", err)
	}
	sizes, fresh := map[string]int{}, map[string][]byte{}
	for topic, n := range topics {
		sizes[topic] = n
		text, ok := values[sizePrefix+topic]
		if !ok {
			fresh[sizePrefix+topic] = []byte(strconv.Itoa(n))
			continue
		}
		if sizes[topic], err = strconv.Atoi(string(text)); err != nil {
			return nil, fmt.Errorf("reading how many partitions %q had: %w", topic, err)
		}
	}
	if len(fresh) == 0 {
		return sizes, nil
	}
	return sizes, k.shelf.Put(ctx, fresh)
}

// Forget forgets what was copied of topics: where it began, the maps, and how
// many partitions there were. Nobody may copy them meanwhile.
func (k *Keeper) Forget(ctx context.Context, topics []string) error {
	gone := map[string][]byte{}
	for _, topic := range topics {
		for _, prefix := range []string{beginPrefix, mapPrefix, ackedPrefix, settledPrefix} {
			some, err := k.shelf.All(ctx, prefix+topic+"/")
			if err != nil {
				return fmt.Errorf("reading the mirror's state: %w", err)
			}
			for name := range some {
				gone[name] = nil
			}
		}
		gone[sizePrefix+topic] = nil
	}
	if err := k.shelf.Put(ctx, gone); err != nil {
		return fmt.Errorf("forgetting what was copied: %w", err)
	}
	return nil
}

// Settle keeps that the copies of partitions have ended in order, with nothing
// under way, so that the next owner need not wait.
func (k *Keeper) Settle(ctx context.Context, partitions []wire.Partition) error {
	return k.settled(ctx, partitions, []byte("{}"))
}

// Unsettle takes that back, before something is sent.
func (k *Keeper) Unsettle(ctx context.Context, partitions []wire.Partition) error {
	return k.settled(ctx, partitions, nil)
}

func (k *Keeper) settled(ctx context.Context, partitions []wire.Partition, value []byte) error {
	values := map[string][]byte{}
	for _, p := range partitions {
		values[settledPrefix+about(p)] = value
	}
	return k.shelf.Put(ctx, values)
}

// found is what the shelf has of a partition.
type found struct {
	Assignment
	begun  bool
	chunks int // names of them
	whole  int // of these, those that make up Offsets
}

// read collects what the shelf has of partitions.
func (k *Keeper) read(ctx context.Context, partitions []wire.Partition) (map[wire.Partition]*found, error) {
	all := map[wire.Partition]*found{}
	for _, p := range partitions {
		all[p] = &found{}
	}
	values := map[string]map[string][]byte{}
	for _, prefix := range []string{beginPrefix, mapPrefix, ackedPrefix, settledPrefix} {
		some, err := k.shelf.All(ctx, narrow(prefix, topicsIn(partitions)))
		if err != nil {
			return nil, fmt.Errorf("reading the mirror's state: %w", err)
		}
		values[prefix] = some
	}
	for p, f := range all {
		_, f.Settled = values[settledPrefix][settledPrefix+about(p)]
		text, ok := values[beginPrefix][beginPrefix+about(p)]
		if !ok {
			continue
		}
		var b begun
		if err := json.Unmarshal(text, &b); err != nil {
			return nil, fmt.Errorf("reading where the copy of %s[%d] began: %w", p.Topic, p.Number, err)
		}
		f.begun, f.Topics = true, Topics{Source: b.SourceTopic, Target: b.TargetTopic}
		m, err := NewMap(Point{b.Source, b.Target})
		if err != nil {
			return nil, fmt.Errorf("reading where the copy of %s[%d] began: %w", p.Topic, p.Number, err)
		}
		f.Offsets = m
		if text, ok := values[ackedPrefix][ackedPrefix+about(p)]; ok {
			acked, err := decodeAcked(text)
			if err != nil {
				return nil, fmt.Errorf("reading how far %s[%d] is acknowledged: %w", p.Topic, p.Number, err)
			}
			f.Acked = &acked
		}
	}
	for name := range values[mapPrefix] {
		p, number, err := aboutWhat(strings.TrimPrefix(name, mapPrefix))
		if err != nil {
			return nil, err
		}
		if f := all[p]; f != nil {
			n, err := strconv.Atoi(number)
			if err != nil {
				return nil, fmt.Errorf("reading the mirror's state: %q is no chunk of an offset map", name)
			}
			f.chunks = max(f.chunks, n+1)
		}
	}
	for p, f := range all {
		if err := f.join(p, values[mapPrefix]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// join puts the chunks of a map together, as far as each begins where the one
// before ends: those behind were being written when their owner died.
func (f *found) join(p wire.Partition, values map[string][]byte) error {
	for i := range f.chunks {
		bytes, ok := values[chunkName(p, i)]
		if !ok || !f.begun {
			return nil
		}
		m := &Map{}
		if err := m.UnmarshalBinary(bytes); err != nil {
			return fmt.Errorf("chunk %d of the offset map of %s[%d]: %w", i, p.Topic, p.Number, err)
		}
		switch {
		case i == 0:
			f.Offsets = m
		case m.start != f.Offsets.end:
			return nil
		default:
			f.Offsets.segments = append(f.Offsets.segments, m.segments...)
			f.Offsets.end = m.end
		}
		f.whole = i + 1
	}
	return nil
}

func topicsIn(partitions []wire.Partition) []string {
	var topics []string
	for _, p := range partitions {
		if !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	return topics
}
