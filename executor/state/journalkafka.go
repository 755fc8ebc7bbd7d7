package state

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Append writes records. They count when they are read back with no other
// claim before them. When that cannot be reached before the lease runs out the
// error is a *WriteError, and nothing can be appended any more: whether the
// records are in the log is not known, so nothing can follow them.
func (s *kafkaSession) Append(records ...Record) ([]Record, error) {
	return s.append(records, func(last int64) {
		number(records, last, s.epoch, s.k.now())
	})
}

func (s *kafkaSession) copyIn(records []Record) error {
	_, err := s.append(records, func(int64) {})
	return err
}

func (s *kafkaSession) append(records []Record, number func(last int64)) ([]Record, error) {
	select {
	case <-s.ctx.Done():
		return nil, s.Check()
	case <-s.turn:
	}
	defer func() { s.turn <- struct{}{} }()
	if err := s.Check(); err != nil {
		return nil, err
	}
	if s.broken != nil {
		return nil, s.broken
	}
	if err := s.k.peek(s.ctx, func(v *view) { number(int64(len(v.records))) }); err != nil {
		return nil, s.failed(err)
	}
	for done := 0; done < len(records); {
		notes, err := s.batch(records[done:])
		if err != nil {
			return nil, err
		}
		s.k.o.hooks.about(s.wrote, len(notes))
		if err := s.write(notes, records[done].Seq); err != nil {
			return nil, err
		}
		s.k.o.hooks.done(s.wrote, len(notes))
		s.wrote += len(notes)
		done += len(notes)
	}
	return records, nil
}

// batch makes notes of as many records as go into one batch, at least one.
func (s *kafkaSession) batch(records []Record) ([]note, error) {
	var notes []note
	size := 0
	for _, r := range records {
		data, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encoding a journal record: %w", err)
		}
		if size += len(data); size > copyBytes && len(notes) > 0 {
			break
		}
		notes = append(notes, note{Version: logVersion, Kind: kindRecord, Epoch: s.epoch, Record: data})
	}
	return notes, nil
}

func (s *kafkaSession) write(notes []note, first int64) error {
	last, err := s.k.send(s.ctx, s.Check, func() (keys []string, values [][]byte, err error) {
		for i, n := range notes {
			value, err := json.Marshal(n)
			if err != nil {
				return nil, nil, fmt.Errorf("encoding a journal record: %w", err)
			}
			keys, values = append(keys, n.key(first+int64(i))), append(values, value)
		}
		return keys, values, nil
	})
	if err != nil {
		if lost := (*unknownError)(nil); errors.As(err, &lost) {
			s.broken = s.k.writeError(err)
		}
		return s.failed(err)
	}
	if err := s.await(last); err != nil {
		s.broken = s.failed(err)
		return s.broken
	}
	return nil
}

// await reads back past an offset, for as long as the lease lasts.
func (s *kafkaSession) await(last int64) error {
	for {
		ctx, cancel := limited(s.ctx, s.k.o.ttl/5)
		err := s.look(ctx, last, func(*view) {})
		cancel()
		if err == nil {
			return nil
		}
		if damaged := (*DamagedError)(nil); errors.As(err, &damaged) {
			return err
		}
		if check := s.Check(); check != nil {
			return errors.Join(err, check)
		}
		if pause(s.ctx, s.k.o.ttl/60) != nil {
			return err
		}
	}
}

// failed says what a failure means: a lock that another has is lost, everything
// else is a state that cannot be written.
func (s *kafkaSession) failed(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil && !s.late {
		return s.gone
	}
	if write := (*WriteError)(nil); errors.As(err, &write) {
		return err
	}
	return s.k.writeError(err)
}
