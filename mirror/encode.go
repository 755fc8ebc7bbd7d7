package mirror

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

// binaryHead begins the binary form, with its version.
const binaryHead = "KOM\x01"

// castagnoli is CRC-32C's table; nothing writes it.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary is the compact form: for each segment the gap before it on both
// sides and its length, as varints, and a CRC-32C over all. A dense partition
// takes about twenty bytes.
func (m *Map) MarshalBinary() ([]byte, error) {
	b := []byte(binaryHead)
	b = appendNumbers(b, m.start.Source, m.start.Target, int64(len(m.segments)))
	at := m.start
	for _, s := range m.segments {
		b = appendNumbers(b, s.Source-at.Source, s.Target-at.Target, s.Length)
		at = Point{s.SourceEnd(), s.TargetEnd()}
	}
	b = appendNumbers(b, m.end.Source-at.Source, m.end.Target-at.Target)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
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

// UnmarshalBinary is the inverse of MarshalBinary. On an error the map is as it
// was.
func (m *Map) UnmarshalBinary(b []byte) error {
	body := len(b) - 4
	if body < len(binaryHead) || string(b[:len(binaryHead)]) != binaryHead {
		return fmt.Errorf("reading an offset map: %d bytes do not begin like one of version 1: a newer kplan wrote it, or it is something else. Without it the map is found again by reading the source", len(b))
	}
	if want, got := binary.BigEndian.Uint32(b[body:]), crc32.Checksum(b[:body], castagnoli); want != got {
		return fmt.Errorf("reading an offset map: its checksum is %08x, and its bytes give %08x: it is damaged. Without it the map is found again by reading the source", want, got)
	}
	n := &numbers{b: b[len(binaryHead):body]}
	start := Point{n.next(), n.next()}
	count := n.next()
	// Each segment takes three bytes at least: no count makes this allocate more
	// than the input is long.
	if count > int64(len(n.b)/3) {
		n.bad = true
		count = 0
	}
	segments := make([]Segment, 0, count)
	at := start
	for range count {
		s := Segment{at.Source + n.next(), at.Target + n.next(), n.next()}
		segments = append(segments, s)
		at = Point{s.SourceEnd(), s.TargetEnd()}
	}
	end := Point{at.Source + n.next(), at.Target + n.next()}
	if n.bad || len(n.b) != 0 {
		return fmt.Errorf("reading an offset map: its numbers do not fill it: it is damaged. Without it the map is found again by reading the source")
	}
	return m.set(start, end, segments)
}

// set checks what was read by building it once more: sums that overflow come
// out as offsets that go back.
func (m *Map) set(start, end Point, segments []Segment) error {
	built, err := NewMap(start)
	if err != nil {
		return fmt.Errorf("reading an offset map: %w", err)
	}
	for _, s := range segments {
		if err := built.Append(s); err != nil {
			return fmt.Errorf("reading an offset map: %w", err)
		}
	}
	if err := built.Cover(end); err != nil {
		return fmt.Errorf("reading an offset map: %w", err)
	}
	*m = *built
	return nil
}

// document is the form for people and for the journal: pairs are source and
// target, segments have their length besides.
type document struct {
	Version  int       `json:"v"`
	Start    []int64   `json:"start"`
	End      []int64   `json:"end"`
	Segments [][]int64 `json:"segments"`
}

// MarshalJSON writes {"v":1,"start":[s,t],"end":[s,t],"segments":[[s,t,n],...]}.
func (m *Map) MarshalJSON() ([]byte, error) {
	d := document{Version: 1, Start: []int64{m.start.Source, m.start.Target}, End: []int64{m.end.Source, m.end.Target}}
	d.Segments = make([][]int64, len(m.segments))
	for i, s := range m.segments {
		d.Segments[i] = []int64{s.Source, s.Target, s.Length}
	}
	return json.Marshal(d)
}

// UnmarshalJSON is the inverse of MarshalJSON. On an error the map is as it was.
func (m *Map) UnmarshalJSON(b []byte) error {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("reading an offset map: %w", err)
	}
	if d.Version != 1 {
		return fmt.Errorf("reading an offset map: its version is %d, and this kplan knows 1: use a newer one, or rebuild the map from the two logs", d.Version)
	}
	if len(d.Start) != 2 || len(d.End) != 2 {
		return fmt.Errorf("reading an offset map: its start and end have %d and %d numbers, and want 2. Without it the map is found again by reading the source", len(d.Start), len(d.End))
	}
	segments := make([]Segment, len(d.Segments))
	for i, s := range d.Segments {
		if len(s) != 3 {
			return fmt.Errorf("reading an offset map: segment %d has %d numbers, and wants 3. Without it the map is found again by reading the source", i, len(s))
		}
		segments[i] = Segment{s[0], s[1], s[2]}
	}
	return m.set(Point{d.Start[0], d.Start[1]}, Point{d.End[0], d.End[1]}, segments)
}
