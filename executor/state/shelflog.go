package state

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	var puts []shelfPut
	for _, name := range inOrder(values) {
		epoch, err := owned(s.fold, s.claims, name)
		if err != nil {
			return err
		}
		puts = append(puts, shelfPut{name: name, shelved: s.fold.next(name, epoch, values[name]), stale: s.fold.stale[name]})
	}
	return s.putAll(ctx, puts)
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
	for _, scope := range scopes {
		puts = append(puts, shelfPut{name: scope, shelved: shelved{kind: entryClaim, epoch: s.fold.owners[scope].epoch + 1}, stale: s.fold.staleIn(scope)})
	}
	if err := s.putAll(ctx, puts); err != nil {
		return err
	}
	for _, p := range puts {
		s.claims[p.name] = claimed{epoch: p.epoch, lease: lease}
	}
	return nil
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

// owned is the epoch under which a name is written: that of this shelf's claim, or
// where it has made none that of whoever has.
func owned(f *shelfFold, claims map[string]claimed, name string) (uint64, error) {
	scope := f.scopeOf(name)
	now := f.owners[scope].epoch
	if mine, ok := claims[scope]; ok && mine.epoch != now {
		return 0, &SupersededError{Name: name}
	}
	return now, nil
}

// shelfPut is an entry to be written, with the keys that may go.
type shelfPut struct {
	name string
	shelved
	stale []string
}

// putAll writes entries, as many as fit with one request. Keys that may go go
// with what takes their place: they are behind it, in the same request.
func (s *LogShelf) putAll(ctx context.Context, puts []shelfPut) error {
	try, size, from := newID(), 0, 0
	for i := range puts {
		puts[i].key = puts[i].name + keySeparator + try
		need := len(puts[i].key) + len(puts[i].value) + entryOverhead
		for _, k := range puts[i].stale {
			need += len(k) + entryOverhead
		}
		if size += need; size > copyBytes && i > from {
			if err := s.append(ctx, puts[from:i]); err != nil {
				return err
			}
			from, size = i, need
		}
	}
	if from == len(puts) {
		return nil
	}
	return s.append(ctx, puts[from:])
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

// append writes entries until it is known whether they count. Before it tries
// once more it looks at what lies there by now, and at the lease of whoever owns
// the names: a minute may have passed, and somebody else be the owner.
func (s *LogShelf) append(ctx context.Context, puts []shelfPut) error {
	var keys []string
	var entries [][]byte
	for _, p := range puts {
		keys, entries = append(keys, p.key), append(entries, p.encode())
	}
	for _, p := range puts {
		for _, k := range p.stale {
			keys, entries = append(keys, k), append(entries, nil)
		}
	}
	s.fold.await(puts)
	defer clear(s.fold.own)
	for {
		try, cancel := limited(ctx, s.o.ttl/3)
		last, err := s.log.Append(try, keys, entries)
		cancel()
		if err == nil {
			if err := s.catchUp(ctx, last); err != nil {
				return err
			}
			return s.fold.counted(puts)
		}
		if permanent(err) || pause(ctx, s.o.ttl/60) != nil {
			return s.notKept(puts, gaveUp(ctx, err))
		}
		if err := s.catchUp(ctx, -1); err != nil {
			return s.notKept(puts, err)
		}
		if arrived, err := s.standing(puts); arrived || err != nil {
			return err
		}
	}
}

func (s *LogShelf) notKept(puts []shelfPut, err error) error {
	return fmt.Errorf("keeping %q and %d more: %w", puts[0].name, len(puts)-1, &WriteError{Path: s.where, What: shelfWhat, Err: err, Do: doKafka})
}

// standing says whether entries whose answer was lost are there, and if not, why
// they must not be sent again; neither: they may be.
func (s *LogShelf) standing(puts []shelfPut) (arrived bool, err error) {
	for _, p := range puts {
		if s.fold.own[p.key] {
			return true, s.fold.counted(puts) // all of them are, or none
		}
	}
	for _, p := range puts {
		if !s.fold.open(p) && !s.fold.same(p) {
			return false, &SupersededError{Name: p.name}
		}
		c, ok := s.claims[s.fold.scopeOf(p.name)]
		if p.kind == entryClaim || !ok || c.lease == nil {
			continue
		}
		if err := c.lease(); err != nil {
			return false, fmt.Errorf("keeping %q once more: %w", p.name, err)
		}
	}
	return false, nil
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
