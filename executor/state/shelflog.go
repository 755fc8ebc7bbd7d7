package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// shelfVersion begins every value in the log.
const shelfVersion = 1

// LogShelf keeps its values in a compacted topic of its own, each under its
// name. With a value goes a serial, one more than that of the value before, as
// far as the writer had read: a try whose answer was lost and that arrives late
// has a lower one than what was written since, and counts no more. A name that
// was removed leaves its serial behind.
type LogShelf struct {
	log   Log
	where string
	o     options

	turn   chan struct{} // holds one token; who has it may touch what follows
	values map[string]shelved
	next   int64
}

var _ Shelf = (*LogShelf)(nil)

type shelved struct {
	serial uint64
	value  []byte // nil: removed
}

// NewLogShelf returns the shelf of a log. where names it for people ("the topic
// _kplan.orders.mirror of cluster.old"). Nothing is read before the first call.
func NewLogShelf(log Log, where string, opts ...Option) *LogShelf {
	s := &LogShelf{log: log, where: where, o: optionsOf(opts), turn: make(chan struct{}, 1), values: map[string]shelved{}}
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
	values := map[string][]byte{}
	for name, v := range s.values {
		if v.value != nil {
			values[name] = v.value
		}
	}
	return withPrefix(values, prefix), nil
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
	var keys []string
	var entries [][]byte
	size := 0
	for _, name := range inOrder(values) {
		entry := encodeShelved(shelved{s.values[name].serial + 1, values[name]})
		if size += len(name) + len(entry); size > copyBytes && len(keys) > 0 {
			if err := s.append(ctx, keys, entries); err != nil {
				return err
			}
			keys, entries, size = nil, nil, len(name)+len(entry)
		}
		keys, entries = append(keys, name), append(entries, entry)
	}
	if len(keys) == 0 {
		return nil
	}
	return s.append(ctx, keys, entries)
}

func (s *LogShelf) take(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.turn:
		return nil
	}
}

func (s *LogShelf) give() { s.turn <- struct{}{} }

func (s *LogShelf) append(ctx context.Context, keys []string, entries [][]byte) error {
	for {
		try, cancel := limited(ctx, s.o.ttl/3)
		last, err := s.log.Append(try, keys, entries)
		cancel()
		if err == nil {
			return s.catchUp(ctx, last)
		}
		if permanent(err) || pause(ctx, s.o.ttl/60) != nil {
			return fmt.Errorf("keeping %s and %d more: %w", keys[0], len(keys)-1, &WriteError{Path: s.where, What: shelfWhat, Err: gaveUp(ctx, err), Do: doKafka})
		}
	}
}

// catchUp reads on, at least past an offset. It is called by who has the turn.
func (s *LogShelf) catchUp(ctx context.Context, past int64) error {
	for {
		next, err := s.log.Read(ctx, s.next, func(offset int64, name string, entry []byte) error {
			v, err := decodeShelved(entry)
			if err != nil {
				return &DamagedError{Path: s.where, Why: fmt.Sprintf("the entry at offset %d, %q, %v", offset, name, err),
					Do: "Only kplan may write there. If the topic is of another use, delete it when it is not in use"}
			}
			if v.serial >= s.values[name].serial {
				s.values[name] = v
			}
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

// encodeShelved makes an entry: version, whether there is a value, serial,
// value.
func encodeShelved(v shelved) []byte {
	b := []byte{shelfVersion, 0}
	if v.value != nil {
		b[1] = 1
	}
	return append(binary.AppendUvarint(b, v.serial), v.value...)
}

func decodeShelved(b []byte) (shelved, error) {
	if len(b) < 3 {
		return shelved{}, errors.New("is not one that kplan wrote")
	}
	if b[0] != shelfVersion {
		return shelved{}, fmt.Errorf("has version %d, and this kplan knows %d: use a newer one", b[0], shelfVersion)
	}
	serial, n := binary.Uvarint(b[2:])
	if n <= 0 || b[1] > 1 {
		return shelved{}, errors.New("is damaged")
	}
	v := shelved{serial: serial}
	if b[1] == 1 {
		v.value = append([]byte{}, b[2+n:]...)
	}
	return v, nil
}

// ShelfConfigs are what the topic of a LogShelf has that of a journal has not:
// small segments, since most of what is written is replaced within seconds.
func ShelfConfigs() map[string]string {
	return map[string]string{"segment.bytes": fmt.Sprint(16 << 20), "segment.ms": fmt.Sprint((10 * time.Minute).Milliseconds())}
}
