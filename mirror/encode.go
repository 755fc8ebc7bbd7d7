package mirror

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// The binary forms begin with their version. Version 1, which is read and not
// written any more, had each segment by itself. Version 3 is 2 with stretches
// before the runs, and written only where there are any: a kplan that does not
// know them must not take the map for one that begins behind them.
const (
	binaryHeadOne    = "KOM\x01"
	binaryHead       = "KOM\x02"
	binaryHeadCoarse = "KOM\x03"
)

// castagnoli is CRC-32C's table; nothing writes it.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary is the compact form: for each run of segments the gap before it
// on both sides, its length, and how often it comes with which gap, as varints,
// and a CRC-32C over all. A dense partition takes about twenty bytes. Before that
// is of each stretch how long it is on both sides, and what of the target are not
// its records.
func (m *Map) MarshalBinary() ([]byte, error) {
	var all []run
	for _, b := range m.sealed {
		all = append(all, b.runs()...)
	}
	all = append(all, m.open...)
	body := appendRuns(nil, m.exact(), all)
	if m.coarse != nil {
		return encoded(binaryHeadCoarse, m.origin, m.start, m.end, lastOf(m.exact(), all), append(m.coarse.packed(), body...)), nil
	}
	return encoded(binaryHead, m.origin, m.start, m.end, lastOf(m.start, all), body), nil
}

// encoded is the form of a map whose runs are packed already, and end at last.
func encoded(head string, origin, start, end, last Point, packed []byte) []byte {
	b := appendNumbers([]byte(head), start.Source, start.Target, start.Source-origin.Source, start.Target-origin.Target)
	b = append(b, packed...)
	b = appendNumbers(b, end.Source-last.Source, end.Target-last.Target)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// packed is the number of stretches, and these.
func (c *coarse) packed() []byte {
	b := appendNumbers(nil, int64(len(c.stretches)))
	for _, s := range c.stretches {
		target := s.last.Target - s.first.Target
		b = appendNumbers(b, s.last.Source-s.first.Source, target, target-s.records)
	}
	return b
}

func lastOf(start Point, runs []run) Point {
	if n := len(runs); n > 0 {
		return runs[n-1].end()
	}
	return start
}

// appendRuns packs runs that begin at or behind a point.
func appendRuns(b []byte, at Point, runs []run) []byte {
	b = appendNumbers(b, int64(len(runs)))
	for _, r := range runs {
		b = appendNumbers(b, r.Source-at.Source, r.Target-at.Target, r.Length, r.count-1)
		if r.count > 1 {
			b = appendNumbers(b, r.gap)
		}
		at = r.end()
	}
	return b
}

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

// numbers reads what appendNumbers wrote.
type numbers struct {
	b   []byte
	bad bool
}

func (n *numbers) next() int64 {
	v, size := binary.Uvarint(n.b)
	if size <= 0 || int64(v) < 0 {
		n.b, n.bad = nil, true
		return 0
	}
	n.b = n.b[size:]
	return int64(v)
}

// leastItem is how many bytes a run, a segment or a stretch takes at least: no
// count makes anything allocate more than a few times what the input is long.
const leastItem = 3

func (n *numbers) count() int64 {
	count := n.next()
	if count > int64(len(n.b)/leastItem) {
		n.b, n.bad = nil, true
		return 0
	}
	return count
}

// runs reads what appendRuns wrote. Runs that do not follow each other, or are
// too long for any log, are bad.
func (n *numbers) runs(at Point) []run {
	count := n.count()
	runs := make([]run, 0, count)
	for range count {
		r := run{Segment: Segment{at.Source + n.next(), at.Target + n.next(), n.next()}, count: 1}
		if more := n.next(); more > 0 && more < math.MaxInt64 {
			r.count, r.gap = more+1, n.next()
		}
		if n.bad || r.follows(at) != nil || !r.fits() {
			n.b, n.bad = nil, true
			return nil
		}
		runs = append(runs, r)
		at = r.end()
	}
	return runs
}

// stretches reads what packed wrote. Each holds a record, and no more than there
// is room for on either side.
func (n *numbers) stretches(at Point) *coarse {
	count := n.count()
	read := &coarse{make([]stretch, 0, count)}
	for range count {
		source, target, others := n.next(), n.next(), n.next()
		s := stretch{at, Point{at.Source + source, at.Target + target}, target - others}
		if n.bad || s.records < 1 || s.records > source || s.last.Source < at.Source || s.last.Target < at.Target {
			n.b, n.bad = nil, true
			return nil
		}
		read.stretches = append(read.stretches, s)
		at = s.last
	}
	return read
}

// fits reports whether no offset of a run is too large.
func (r run) fits() bool {
	more := r.count - 1
	return r.gap <= math.MaxInt64-r.Length &&
		(more == 0 || more <= (math.MaxInt64-r.SourceEnd())/(r.Length+r.gap) && more <= (math.MaxInt64-r.TargetEnd())/r.Length)
}

// isCoarse reports whether bytes begin like a map with stretches.
func isCoarse(b []byte) bool { return bytes.HasPrefix(b, []byte(binaryHeadCoarse)) }

// UnmarshalBinary is the inverse of MarshalBinary, and reads the older form. On
// an error the map is as it was.
func (m *Map) UnmarshalBinary(b []byte) error {
	body := len(b) - 4
	head := string(b[:min(len(b), len(binaryHead))])
	if body < len(head) || head != binaryHeadOne && head != binaryHead && head != binaryHeadCoarse {
		return fmt.Errorf("reading an offset map: %d bytes do not begin like one of version 1 to 3: a newer kplan wrote it, or it is something else", len(b))
	}
	if want, got := binary.BigEndian.Uint32(b[body:]), crc32.Checksum(b[:body], castagnoli); want != got {
		return fmt.Errorf("reading an offset map: its checksum is %08x, and its bytes give %08x: it is damaged", want, got)
	}
	n := &numbers{b: b[len(head):body]}
	read := &Map{start: Point{n.next(), n.next()}}
	if head == binaryHeadOne {
		n.segments(read)
	} else {
		read.origin = Point{read.start.Source - n.next(), read.start.Target - n.next()}
		if head == binaryHeadCoarse {
			read.coarse, read.trimmed = n.stretches(read.start), 1 // it was a block at least
		}
		read.open = n.runs(read.exact())
		read.end = lastOf(read.exact(), read.open)
		read.loosen()
	}
	end := Point{read.end.Source + n.next(), read.end.Target + n.next()}
	if n.bad || len(n.b) != 0 || read.origin.Source < 0 || read.origin.Target < 0 {
		return fmt.Errorf("reading an offset map: its numbers do not fill it: it is damaged")
	}
	if err := read.Cover(end); err != nil { // a sum that overflows comes out as an offset that goes back
		return fmt.Errorf("reading an offset map: %w", err)
	}
	*m = *read
	return nil
}

// segments reads those of version 1.
func (n *numbers) segments(m *Map) {
	m.origin, m.end = m.start, m.start
	m.most = math.MaxInt // one chunk of a map is one block of it
	defer func() { m.most = 0 }()
	for range n.count() {
		s := Segment{m.end.Source + n.next(), m.end.Target + n.next(), n.next()}
		if n.bad || m.Append(s) != nil {
			n.b, n.bad = nil, true
			return
		}
	}
}
