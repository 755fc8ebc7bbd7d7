package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// LogShelf keeps its values in a compacted topic of its own. Every try of a Put
// has a key of its own there, NAME\0TRY: what arrives late cannot drive out, in a
// compaction, what counts by now. Which entry counts is for shelfFold to say; the
// keys of those that do not are removed by the next Put of the name.
type LogShelf struct {
	log   Log
	where string
	o     options

	turn   chan struct{} // holds one token; who has it may touch what follows
	fold   *shelfFold
	claims map[string]claimed // that this one has made, by scope
	next   int64
}

var _ Shelf = (*LogShelf)(nil)

// claimed is a scope whose owner this shelf is, unless another one has claimed it
// since.
type claimed struct {
	epoch uint64
	lease func() error
}

// NewLogShelf returns the shelf of a log. where names it for people ("the topic
// _kplan.orders.mirror of cluster.old"). Nothing is read before the first call.
func NewLogShelf(log Log, where string, opts ...Option) *LogShelf {
	s := &LogShelf{log: log, where: where, o: optionsOf(opts), turn: make(chan struct{}, 1), fold: newShelfFold(), claims: map[string]claimed{}}
	s.turn <- struct{}{}
	return s
}

// Close closes the log, where it can be closed.
func (s *LogShelf) Close() error {
	if c, ok := s.log.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// All reads to the log's end.
func (s *LogShelf) All(ctx context.Context, prefix string) (map[string][]byte, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.give()
	if err := s.catchUp(ctx, -1); err != nil {
		return nil, err
	}
	return s.fold.visible(prefix), nil
}

// Put appends the values and reads them back.
func (s *LogShelf) Put(ctx context.Context, values map[string][]byte) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.give()
	if err := s.catchUp(ctx, -1); err != nil {
		return err
	}
	puts, others := following(s.fold, s.claims, values)
	for i, p := range puts {
		puts[i].stale = s.fold.stale[p.name]
	}
	late, err := s.putAll(ctx, puts)
	return cmp.Or(err, superseded(append(others, late...)))
}

// Claim makes this shelf the owner of scopes.
func (s *LogShelf) Claim(ctx context.Context, scopes []string, lease func() error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.give()
	if err := s.catchUp(ctx, -1); err != nil {
		return err
	}
	if err := mayClaim(lease); err != nil {
		return err
	}
	var puts []shelfPut
	names := slices.Sorted(maps.Keys(s.fold.stale)) // once: there may be many of both
	for _, scope := range scopes {
		puts = append(puts, shelfPut{name: scope, shelved: shelved{kind: entryClaim, epoch: s.fold.owners[scope].epoch + 1}, stale: s.fold.staleIn(scope, names)})
	}
	late, err := s.putAll(ctx, puts)
	if err != nil {
		return err
	}
	for _, p := range puts {
		s.claims[p.name] = claimed{epoch: p.epoch, lease: lease} // of a late one: another one has the scope
	}
	return superseded(late)
}

// mayClaim asks for the lease just before a claim is sent: nothing tells a claim
// of somebody who stood still from one that is due, and whoever was the owner
// could keep nothing from then on.
func mayClaim(lease func() error) error {
	if lease == nil {
		return nil
	}
	if err := lease(); err != nil {
		return fmt.Errorf("becoming the owner: %w", err)
	}
	return nil
}

// following are the entries that follow what names have now, each under the epoch
// of this shelf's claim, or where it has made none of whoever has. others are the
// names that another shelf has claimed since.
func following(f *shelfFold, claims map[string]claimed, values map[string][]byte) (puts []shelfPut, others []string) {
	for _, name := range inOrder(values) {
		scope := f.scopeOf(name)
		epoch := f.owners[scope].epoch
		if mine, ok := claims[scope]; ok && mine.epoch != epoch {
			others = append(others, name)
			continue
		}
		puts = append(puts, shelfPut{name: name, shelved: f.next(name, epoch, values[name])})
	}
	return puts, others
}

// shelfPut is an entry to be written, with the keys that may go.
type shelfPut struct {
	name string
	shelved
	stale []string
}

// putAll writes entries, as many as fit with one request, and returns the names of
// those that count for nobody. Keys that may go go with what takes their place:
// they are behind it, in the same request.
func (s *LogShelf) putAll(ctx context.Context, puts []shelfPut) (late []string, err error) {
	try, size, from := newID(), 0, 0
	for i := range puts {
		puts[i].key = puts[i].name + keySeparator + try
		need := len(puts[i].key) + len(puts[i].value) + entryOverhead
		for _, k := range puts[i].stale {
			need += len(k) + entryOverhead
		}
		if size += need; size > copyBytes && i > from {
			some, err := s.append(ctx, puts[from:i])
			if err != nil {
				return nil, err
			}
			late, from, size = append(late, some...), i, need
		}
	}
	if from == len(puts) {
		return late, nil
	}
	some, err := s.append(ctx, puts[from:])
	return append(late, some...), err
}

// entryOverhead is about what an entry needs beside its key and its value.
const entryOverhead = 32

func (s *LogShelf) take(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.turn:
		return nil
	}
}

func (s *LogShelf) give() { s.turn <- struct{}{} }

// append writes entries until it is known which of them count, and returns the
// names of those that do not. Before it tries once more it looks at what lies
// there by now, and at the lease of whoever owns the names: a minute may have
// passed, and somebody else be the owner of some. Only the others are sent again.
func (s *LogShelf) append(ctx context.Context, puts []shelfPut) (late []string, err error) {
	s.fold.await(puts)
	defer clear(s.fold.own)
	for {
		keys, entries := request(puts)
		try, cancel := limited(ctx, s.o.ttl/3)
		last, err := s.log.Append(try, keys, entries)
		cancel()
		if err == nil {
			if err := s.catchUp(ctx, last); err != nil {
				return nil, err
			}
			return append(late, s.fold.late(puts)...), nil
		}
		if permanent(err) || pause(ctx, s.o.ttl/60) != nil {
			return nil, s.notKept(puts, gaveUp(ctx, err))
		}
		if err := s.catchUp(ctx, -1); err != nil {
			return nil, s.notKept(puts, err)
		}
		if s.arrived(puts) {
			return append(late, s.fold.late(puts)...), nil
		}
		var open []shelfPut
		for _, p := range puts {
			switch {
			case s.fold.open(p):
				open = append(open, p)
			case !s.fold.same(p):
				late = append(late, p.name)
			}
		}
		if puts = open; len(puts) == 0 {
			return late, nil
		}
		if err := s.leased(puts); err != nil {
			return nil, err
		}
	}
}

// request is what is sent of entries: they, and behind them the removal of keys.
func request(puts []shelfPut) (keys []string, entries [][]byte) {
	for _, p := range puts {
		keys, entries = append(keys, p.key), append(entries, p.encode())
	}
	for _, p := range puts {
		for _, k := range p.stale {
			keys, entries = append(keys, k), append(entries, nil)
		}
	}
	return keys, entries
}

func (s *LogShelf) notKept(puts []shelfPut, err error) error {
	return fmt.Errorf("keeping %q and %d more: %w", puts[0].name, len(puts)-1, &WriteError{Path: s.where, What: shelfWhat, Err: err, Do: doKafka})
}

// arrived says whether entries whose answer was lost are there: all of them are, or
// none.
func (s *LogShelf) arrived(puts []shelfPut) bool {
	return slices.ContainsFunc(puts, func(p shelfPut) bool { return s.fold.own[p.key] })
}

// leased is why entries must not be sent once more; nil: they may be.
func (s *LogShelf) leased(puts []shelfPut) error {
	for _, p := range puts {
		c, ok := s.claims[s.fold.scopeOf(p.name)]
		if p.kind == entryClaim || !ok || c.lease == nil {
			continue
		}
		if err := c.lease(); err != nil {
			return fmt.Errorf("keeping %q once more: %w", p.name, err)
		}
	}
	return nil
}

// catchUp reads on, at least past an offset. It is called by who has the turn.
func (s *LogShelf) catchUp(ctx context.Context, past int64) error {
	for {
		next, err := s.log.Read(ctx, s.next, func(offset int64, key string, entry []byte) error {
			if offset < s.next {
				return nil // it was read before the last try broke off
			}
			if err := s.fold.take(key, entry); err != nil {
				name, _, _ := strings.Cut(key, keySeparator)
				return &DamagedError{Path: s.where, Why: fmt.Sprintf("the entry at offset %d, %q, %v", offset, name, err),
					Do: "Only kplan may write there. If the topic is of another use, delete it when it is not in use"}
			}
			s.next = offset + 1
			return nil
		})
		if err == nil {
			s.next = max(s.next, next)
			if s.next > past {
				return nil
			}
			err = fmt.Errorf("the log ends at offset %d and %d was acknowledged", s.next, past)
		}
		if damaged := (*DamagedError)(nil); errors.As(err, &damaged) {
			return err
		}
		if permanent(err) || pause(ctx, s.o.ttl/100) != nil {
			return &ReadError{Path: s.where, Err: gaveUp(ctx, err), Do: doRead}
		}
	}
}

// ShelfConfigs are what the topic of a LogShelf has that of a journal has not:
// small segments, since most of what is written is replaced within seconds.
func ShelfConfigs() map[string]string {
	return map[string]string{"segment.bytes": fmt.Sprint(16 << 20), "segment.ms": fmt.Sprint((10 * time.Minute).Milliseconds())}
}
