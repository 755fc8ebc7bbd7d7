package batch

// Record is one record as its log has it. Key and value are views, nil where
// they are null; they live until the splicer opens something else.
type Record struct {
	Offset     int64
	Key, Value []byte
}

// Records hands out the records of b at or after from, until each returns false.
// It forgets the opened batch. A marker is an *UnfitError; bytes that cannot be
// read are a *DamageError, records that unpack to too much a *TooLargeError, and
// what was handed out before stands.
func (s *Splicer) Records(b Batch, from int64, each func(Record) bool) error {
	if err := s.Open(b, from, All); err != nil {
		return err
	}
	return s.handOut(each)
}

// MessageRecords is Records for formats 0 and 1.
func (s *Splicer) MessageRecords(m Message, from int64, each func(Record) bool) error {
	if err := s.OpenMessage(m, from, All); err != nil {
		return err
	}
	return s.handOut(each)
}

func (s *Splicer) handOut(each func(Record) bool) error {
	defer func() { s.src = source{} }()
	for s.src.left > 0 {
		rec, size, err := s.src.peek()
		if err != nil {
			return err
		}
		if offset := s.src.offset + int64(rec.offsetDelta); offset >= s.src.from {
			key, rest, ok := nullable(rec.body)
			if !ok {
				return s.src.damaged("the key of a record does not fit")
			}
			value, _, ok := nullable(rest)
			if !ok {
				return s.src.damaged("the value of a record does not fit")
			}
			if !each(Record{Offset: offset, Key: key, Value: value}) {
				return nil
			}
		}
		s.src.move(rec, size)
	}
	return nil
}

// nullable reads bytes with their length before them; -1 is null.
func nullable(b []byte) (data, rest []byte, ok bool) {
	length, n := varint32(b)
	switch {
	case n <= 0 || length < -1:
		return nil, nil, false
	case length == -1:
		return nil, b[n:], true
	case int(length) > len(b)-n:
		return nil, nil, false
	}
	end := n + int(length)
	return b[n:end:end], b[end:], true
}
