package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"kplan/mirror/wire"
)

// Acked is how far the target has acknowledged the copy of a partition: whatever
// the source holds to be copied below Source is on the target below Target, on
// all its in-sync replicas. What is only planned is no part of it (R24).
type Acked struct {
	Point
	Start  int64   // the source's log start, as heard last; 0: nothing is known to be gone
	Epochs []Epoch // the source's leader epochs under which what is in the map was written, oldest first; none: not known
}

// Epoch says from which source offset on records were written under a leader
// epoch (KIP-101).
type Epoch struct {
	Number int32
	From   int64
}

// Kept is what a Store is given of a partition: where its records are, or will
// be, and how far they are acknowledged. For partitions that are not copied
// Ahead both end at the same place.
type Kept struct {
	Offsets *Map
	Acked   Acked
}

// acknowledged is the form of an Acked on the shelf.
type acknowledged struct {
	Source int64      `json:"source"` // offsets
	Target int64      `json:"target"`
	Start  int64      `json:"start,omitempty"`
	Epochs [][2]int64 `json:"epochs,omitempty"` // number, and the first source offset
}

func (a Acked) encode() ([]byte, error) {
	made := acknowledged{Source: a.Source, Target: a.Target, Start: a.Start}
	for _, e := range a.Epochs {
		made.Epochs = append(made.Epochs, [2]int64{int64(e.Number), e.From})
	}
	return json.Marshal(made)
}

func decodeAcked(text []byte) (Acked, error) {
	var read acknowledged
	if err := json.Unmarshal(text, &read); err != nil {
		return Acked{}, err
	}
	a := Acked{Point: Point{read.Source, read.Target}, Start: read.Start}
	for _, e := range read.Epochs {
		a.Epochs = append(a.Epochs, Epoch{Number: int32(e[0]), From: e[1]})
	}
	return a, nil
}

// Acked returns how far the target has acknowledged the copies of topics, for
// all partitions of which that was kept. A partition that is missing is unknown,
// and not at zero: its copy has not begun, or a kplan has kept it that noted the
// map alone, or it cannot be read. It costs one short value a partition, and no map is read.
func (k *Keeper) Acked(ctx context.Context, topics []string) (map[wire.Partition]Acked, error) {
	wanted := map[string]bool{}
	for _, t := range topics {
		wanted[t] = true
	}
	values, err := k.shelf.All(ctx, narrow(ackedPrefix, topics))
	if err != nil {
		return nil, fmt.Errorf("reading the mirror's state: %w", err)
	}
	all := map[wire.Partition]Acked{}
	for name, text := range values {
		p, _, err := aboutWhat(strings.TrimPrefix(name, ackedPrefix))
		if err != nil {
			return nil, err
		}
		if !wanted[p.Topic] {
			continue
		}
		if a, err := decodeAcked(text); err == nil { // else its owner says so (Assignment.Unreadable)
			all[p] = a
		}
	}
	return all, nil
}

// narrow is the prefix of what a shelf has about topics: of one alone, or all.
func narrow(prefix string, topics []string) string {
	if len(topics) == 1 {
		return prefix + topics[0] + "/"
	}
	return prefix
}
