package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"kplan/mirror/wire"
)

// found is what the shelf has of a partition.
type found struct {
	Assignment
	begun  bool
	first  int // number of the first chunk
	chunks int // behind the number of the last one
	whole  int // of these, those that make up Offsets
}

// spoil notes why what is kept cannot be read. The first reason counts.
func (f *found) spoil(p wire.Partition, err error) {
	if f.Unreadable == nil {
		f.Unreadable = &UnreadableError{Partition: p, Cause: err}
	}
}

// read collects what the shelf has of partitions. One that cannot be read says so
// by itself, in Unreadable, and holds up none of the others.
func (k *Keeper) read(ctx context.Context, partitions []wire.Partition) (map[wire.Partition]*found, error) {
	all := map[wire.Partition]*found{}
	for _, p := range partitions {
		all[p] = &found{first: -1}
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
		if text, ok := values[beginPrefix][beginPrefix+about(p)]; ok {
			f.begin(p, text)
		}
		if text, ok := values[ackedPrefix][ackedPrefix+about(p)]; ok && f.begun {
			acked, err := decodeAcked(text)
			if err != nil {
				f.spoil(p, fmt.Errorf("how far it is acknowledged: %w", err))
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
				f.spoil(p, fmt.Errorf("%q is no chunk of an offset map", name))
				continue
			}
			if f.chunks = max(f.chunks, n+1); f.first < 0 || n < f.first {
				f.first = n
			}
		}
	}
	for p, f := range all {
		if err := f.join(p, values[mapPrefix]); err != nil {
			f.spoil(p, err)
		}
		if f.Offsets != nil {
			f.Offsets.most = k.most
		}
	}
	return all, nil
}

// begin reads where the copy began.
func (f *found) begin(p wire.Partition, text []byte) {
	var b begun
	err := json.Unmarshal(text, &b)
	if err == nil {
		f.Offsets, err = NewMap(Point{b.Source, b.Target})
	}
	if err != nil {
		f.spoil(p, fmt.Errorf("where it began: %w", err))
		return
	}
	f.begun, f.Topics = true, Topics{Source: b.SourceTopic, Target: b.TargetTopic}
}

// join puts the chunks of a map together, as far as each begins where the one
// before ends: those behind were being written when their owner died. The first
// ones may be gone, since the map was trimmed. What lies before the last chunk of
// stretches is in that as well: its owner died before it could take it away.
func (f *found) join(p wire.Partition, values map[string][]byte) error {
	if !f.begun || f.first < 0 {
		return nil
	}
	first := f.first
	for i := f.first; i < f.chunks; i++ {
		if isCoarse(values[chunkName(p, i)]) {
			first = i
		}
	}
	var joined *Map
	for i := first; i < f.chunks; i++ {
		bytes, ok := values[chunkName(p, i)]
		if !ok {
			break
		}
		m := &Map{}
		if err := m.UnmarshalBinary(bytes); err != nil {
			return fmt.Errorf("chunk %d of its offset map: %w", i, err)
		}
		if joined == nil {
			m.origin, m.trimmed = f.Offsets.start, first
			if m.coarse != nil {
				m.trimmed++
			}
			joined = m
		} else if !joined.join(m) {
			break
		}
		f.whole++
	}
	if joined != nil {
		f.Offsets = joined
	}
	return nil
}

// join puts the map of a next chunk behind, and reports whether it begins where
// this one ends. The older one is a block from then on.
func (m *Map) join(next *Map) bool {
	switch {
	case next.start != m.end || next.coarse != nil:
		return false
	case len(m.open) > 0 && m.open[len(m.open)-1].end() == m.end:
		m.sealed = append(m.sealed, newBlock(m.bottom(), m.open))
	case len(m.open) > 0 || len(m.sealed) > 0 || m.coarse == nil || m.exact() != m.end: // else it is but stretches
		return false
	}
	m.sealed = append(m.sealed, next.sealed...)
	m.open, m.end = next.open, next.end
	return true
}
