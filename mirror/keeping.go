package mirror

import (
	"context"
	"encoding/json"
	"errors"
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

const keeperPatience = time.Minute // with a shelf that cannot be reached

// Keeper is a Store that keeps maps on a shelf. A map is written in chunks: one
// for each of its blocks and one for the rest, and where it is coarse one for that,
// in the place of the last block that has become so. Only those are written that
// the shelf lacks. It is safe for concurrent use. Only one Keeper at a time
// keeps what is about one partition.
type Keeper struct {
	// Lease is asked before something is sent to the shelf once more; nil: it
	// always may be.
	Lease func() error

	shelf Shelf
	most  int // runs in a chunk; 0: mostOpen

	mu    sync.Mutex // guards known
	known map[wire.Partition]chunks
}

var _ Store = (*Keeper)(nil)

// chunks is what lies on the shelf of a map.
type chunks struct {
	coarse *coarse  // in the chunk before the first block; nil: there is none
	first  int      // number of the first block
	blocks []*block // that are there, from the first on
	least  int      // number of the first chunk, whatever is in it
	names  int      // behind the number of the last, whatever is in it
}

// NewKeeper returns a store on a shelf.
func NewKeeper(shelf Shelf) *Keeper {
	return &Keeper{shelf: shelf, known: map[wire.Partition]chunks{}}
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
// it returns, save that of the partitions of a *TakenError. It gives up after a
// minute.
func (k *Keeper) Keep(maps map[wire.Partition]Kept) error {
	ctx, cancel := context.WithTimeout(context.Background(), keeperPatience)
	defer cancel()
	values, replaced, next := map[string][]byte{}, map[string][]byte{}, map[wire.Partition]chunks{}
	for p, one := range maps {
		k.mu.Lock()
		known := k.known[p]
		k.mu.Unlock()
		next[p] = changes(p, one.Offsets, known, values, replaced)
		text, err := one.Acked.encode()
		if err != nil {
			return fmt.Errorf("keeping the offset map of %s[%d]: %w", p.Topic, p.Number, err)
		}
		values[ackedPrefix+about(p)] = text
	}
	err := taken(k.shelf.Put(ctx, values))
	for name := range replaced {
		if p, _, wrong := aboutWhat(strings.TrimPrefix(name, mapPrefix)); wrong != nil || takenOf(err, p) != nil {
			delete(replaced, name)
		}
	}
	// By themselves: of a Put that fails half way anything may be there.
	if len(replaced) > 0 {
		err = bothTaken(err, taken(k.shelf.Put(ctx, replaced)))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, made := range next {
		if takenOf(err, p) == nil {
			k.known[p] = made
		}
	}
	if err != nil {
		return fmt.Errorf("keeping offset maps: %w", err)
	}
	return nil
}

// changes adds to values what the shelf lacks of a map, and to replaced the names
// of chunks that must be there until that is kept.
func changes(p wire.Partition, m *Map, known chunks, values, replaced map[string][]byte) chunks {
	made := describe(m)
	if made.coarse != nil && (made.coarse != known.coarse || made.first != known.first) {
		values[chunkName(p, made.least)] = encoded(binaryHeadCoarse, m.start, m.start, m.exact(), m.exact(), append(made.coarse.packed(), appendRuns(nil, m.exact(), nil)...))
	}
	rest := made.first + len(made.blocks) // the number of the chunk of what is not packed yet
	from := made.first
	if known.first <= made.first {
		from = max(from, same(made, known))
	}
	for i := from; i < rest; i++ {
		b := made.blocks[i-made.first]
		values[chunkName(p, i)] = encoded(binaryHead, b.first, b.first, b.last, b.last, b.packed)
	}
	values[chunkName(p, rest)] = encoded(binaryHead, m.bottom(), m.bottom(), m.end, lastOf(m.bottom(), m.open), appendRuns(nil, m.bottom(), m.open))
	for i := known.least; i < known.names; i++ {
		switch {
		case i > rest, i < made.least && made.coarse == nil:
			values[chunkName(p, i)] = nil
		case i < made.least:
			replaced[chunkName(p, i)] = nil
		}
	}
	return made
}

// describe says how a map lies on the shelf.
func describe(m *Map) chunks {
	c := chunks{coarse: m.coarse, first: m.trimmed, blocks: m.sealed, least: m.trimmed, names: m.trimmed + len(m.sealed) + 1}
	if m.coarse != nil {
		c.least--
	}
	return c
}

// same is the number behind the last block that two have in common: what is
// before it they have in common as well, since a block is made behind others.
func same(a, b chunks) int {
	for n := min(a.first+len(a.blocks), b.first+len(b.blocks)); n > max(a.first, b.first); n-- {
		if a.blocks[n-1-a.first] == b.blocks[n-1-b.first] {
			return n
		}
	}
	return 0
}

// Load returns what the target has acknowledged of partitions whose copy has
// begun, as it was kept last: the newest records may be missing, until the
// partition's owner has drained it, or left it. What cannot be read is missing: its
// owner says why (Assignment.Unreadable). The maps that were kept by a
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
		case !f.begun || f.Unreadable != nil:
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
// Keeper is the one that keeps what is about them, and what others have sent to
// the shelf before and arrives only now counts no more. With a *TakenError, which
// has the partitions that another one has claimed at the same moment, those of
// all others are returned.
func (k *Keeper) Assignments(ctx context.Context, partitions []wire.Partition) (map[wire.Partition]Assignment, error) {
	late := taken(claim(ctx, k.shelf, scopesOf(partitions), k.Lease))
	mine := slices.DeleteFunc(slices.Clone(partitions), func(p wire.Partition) bool { return takenOf(late, p) != nil })
	if late != nil && !errors.As(late, new(*TakenError)) {
		return nil, late
	}
	found, err := k.read(ctx, mine)
	if err != nil {
		return nil, err
	}
	all := map[wire.Partition]Assignment{}
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, f := range found {
		delete(k.known, p)
		if f.Unreadable != nil { // nothing of it is good for anything
			f.Assignment = Assignment{Unreadable: f.Unreadable}
		}
		all[p] = f.Assignment
		if f.Offsets != nil {
			known := describe(f.Offsets)
			if known.names = f.chunks; f.first >= 0 {
				known.least = f.first // what was left of blocks that are coarse by now, too
			}
			k.known[p] = known
		}
	}
	return all, late
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
	var partitions []wire.Partition
	for _, topic := range topics {
		for _, prefix := range []string{beginPrefix, mapPrefix, ackedPrefix, settledPrefix} {
			some, err := k.shelf.All(ctx, prefix+topic+"/")
			if err != nil {
				return fmt.Errorf("reading the mirror's state: %w", err)
			}
			for name := range some {
				gone[name] = nil
			}
			about, err := partitionsOf(some, prefix)
			if err != nil {
				return err
			}
			partitions = append(partitions, about...)
		}
		gone[sizePrefix+topic] = nil
	}
	scopes := scopesOf(partitions)
	slices.Sort(scopes)
	if err := claim(ctx, k.shelf, slices.Compact(scopes), k.Lease); err != nil {
		return err
	}
	if err := k.shelf.Put(ctx, gone); err != nil {
		return fmt.Errorf("forgetting what was copied: %w", err)
	}
	return nil
}

// Settle keeps that the copies of partitions have ended in order, with nothing
// under way, so that the next owner need not wait. The error may be a *TakenError.
func (k *Keeper) Settle(ctx context.Context, partitions []wire.Partition) error {
	return k.settled(ctx, partitions, []byte("{}"))
}

// Unsettle takes that back, before something is sent. The error may be a
// *TakenError.
func (k *Keeper) Unsettle(ctx context.Context, partitions []wire.Partition) error {
	return k.settled(ctx, partitions, nil)
}

func (k *Keeper) settled(ctx context.Context, partitions []wire.Partition, value []byte) error {
	values := map[string][]byte{}
	for _, p := range partitions {
		values[settledPrefix+about(p)] = value
	}
	return taken(k.shelf.Put(ctx, values))
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
