package mirror_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// entry is a record of a log as the comparator sees it: its offset, and a digest
// of all that a consumer gets.
type entry struct {
	offset int64
	digest [16]byte
}

// entryOf digests key, value, headers and time stamp; null and empty differ.
func entryOf(r *kgo.Record) entry {
	var b []byte
	field := func(v []byte) {
		if v == nil {
			b = append(b, 0)
			return
		}
		b = append(b, 1)
		b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.Timestamp.UnixMilli()))
	field(r.Key)
	field(r.Value)
	for _, h := range r.Headers {
		field([]byte(h.Key))
		field(h.Value)
	}
	sum := sha256.Sum256(b)
	return entry{offset: r.Offset, digest: [16]byte(sum[:16])}
}

// damage is how a copy differs from its source. Records that were not copied yet
// are none.
type damage struct {
	Records   int // of the source, as far as they were copied
	Equal     int // at their place
	Lost      int // on the source, before the last that was copied, and not on the target
	Twice     int // on the target once more than on the source
	Strange   int // on the target and not on the source: altered, or somebody else's
	Misplaced int // on both, at another place
	Missing   int // behind the last that was copied: not copied yet, or lost
	Examples  []string
}

func (d damage) any() bool { return d.Lost+d.Twice+d.Strange+d.Misplaced > 0 }

func (d *damage) add(o damage) {
	d.Records, d.Equal, d.Missing = d.Records+o.Records, d.Equal+o.Equal, d.Missing+o.Missing
	d.Lost, d.Twice, d.Strange, d.Misplaced = d.Lost+o.Lost, d.Twice+o.Twice, d.Strange+o.Strange, d.Misplaced+o.Misplaced
	d.Examples = append(d.Examples, o.Examples...)
}

func (d damage) String() string {
	s := fmt.Sprintf("%d records, %d equal, lost %d, twice %d, misplaced %d, strange %d, missing at the end %d", d.Records, d.Equal, d.Lost, d.Twice, d.Misplaced, d.Strange, d.Missing)
	return s + strings.Join(append([]string{""}, d.Examples[:min(len(d.Examples), 10)]...), "\n  ")
}

// compare names what differs between the records of a partition and their copy,
// each at its source offset. The records' places are counted, not their offsets:
// a marker on either side is no record.
func compare(partition int32, source, target []entry) damage {
	var d damage
	tell := func(format string, args ...any) {
		if len(d.Examples) < 5 {
			d.Examples = append(d.Examples, fmt.Sprintf("[%d] ", partition)+fmt.Sprintf(format, args...))
		}
	}
	places := map[[16]byte][]int{} // on the source, those without a copy yet
	for i, e := range source {
		places[e.digest] = append(places[e.digest], i)
	}
	known := make(map[[16]byte]int, len(places)) // the last place that was given away
	last := -1
	found := make([]bool, len(source))
	for i, e := range target {
		left := places[e.digest]
		first, seen := known[e.digest]
		switch {
		case len(left) == 0 && !seen:
			d.Strange++
			tell("target offset %d is no record of the source", e.offset)
			continue
		case len(left) == 0:
			d.Twice++
			tell("source offset %d is at target offset %d once more", source[first].offset, e.offset)
			continue
		}
		// Of several equal records the one that belongs here, else the first.
		at := 0
		for j, place := range left {
			if place == i {
				at = j
			}
		}
		place := left[at]
		places[e.digest] = append(left[:at:at], left[at+1:]...)
		known[e.digest], found[place] = place, true
		last = max(last, place)
		if place == i {
			d.Equal++
		} else {
			d.Misplaced++
			tell("source offset %d is at target offset %d: the %d. record there, and the %d. of the source", source[place].offset, e.offset, i, place)
		}
	}
	d.Records = last + 1
	for i, there := range found {
		switch {
		case there:
		case i > last:
			d.Missing++
		default:
			d.Lost++
			tell("source offset %d is not on the target", source[i].offset)
		}
	}
	return d
}

// The comparator finds what it is there for, each kind by its name.
func TestCompare(t *testing.T) {
	at := func(offsets ...int64) []entry {
		var all []entry
		for i, o := range offsets {
			r := &kgo.Record{Key: fmt.Appendf(nil, "record %d", o), Offset: int64(i)}
			all = append(all, entryOf(r))
		}
		return all
	}
	for name, c := range map[string]struct {
		source, target []entry
		want           damage
	}{
		"nothing":        {nil, nil, damage{}},
		"equal":          {at(0, 1, 2), at(0, 1, 2), damage{Records: 3, Equal: 3}},
		"not copied yet": {at(0, 1, 2), at(0), damage{Records: 1, Equal: 1, Missing: 2}},
		"lost":           {at(0, 1, 2), at(0, 2), damage{Records: 3, Equal: 1, Lost: 1, Misplaced: 1}},
		"twice":          {at(0, 1, 2), at(0, 1, 1, 2), damage{Records: 3, Equal: 2, Twice: 1, Misplaced: 1}},
		"twice and lost": {at(0, 1, 2, 3), at(0, 1, 1, 3), damage{Records: 4, Equal: 3, Twice: 1, Lost: 1}},
		"swapped":        {at(0, 1, 2), at(0, 2, 1), damage{Records: 3, Equal: 1, Misplaced: 2}},
		"strange":        {at(0, 1), at(0, 9, 1), damage{Records: 2, Equal: 1, Strange: 1, Misplaced: 1}},
		"equal records":  {at(7, 7, 7), at(7, 7, 7), damage{Records: 3, Equal: 3}},
		"one too many":   {at(7, 7), at(7, 7, 7), damage{Records: 2, Equal: 2, Twice: 1}},
		"one too few":    {at(7, 7, 8), at(7, 8), damage{Records: 3, Equal: 1, Lost: 1, Misplaced: 1}},
	} {
		got := compare(0, c.source, c.target)
		if (len(got.Examples) > 0) != got.any() {
			t.Errorf("%s: %d examples", name, len(got.Examples))
		}
		got.Examples = nil
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What a consumer can tell apart, the digest tells apart.
func TestEntryOf(t *testing.T) {
	seen := map[[16]byte]int{}
	for i, r := range []*kgo.Record{
		{}, {Key: []byte{}}, {Value: []byte{}}, {Key: []byte("a")}, {Value: []byte("a")}, {Key: []byte("ab")},
		{Key: []byte("a"), Value: []byte("b")}, {Headers: []kgo.RecordHeader{{Key: "a"}}},
		{Headers: []kgo.RecordHeader{{Key: "a", Value: []byte{}}}}, {Headers: []kgo.RecordHeader{{Key: "a"}, {Key: "b"}}},
		{Headers: []kgo.RecordHeader{{Key: "b"}, {Key: "a"}}}, {Timestamp: longAgo()},
	} {
		d := entryOf(r).digest
		if other, ok := seen[d]; ok {
			t.Errorf("records %d and %d are taken for equal", other, i)
		}
		seen[d] = i
	}
}
