package mirror

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/mirror/wire"
)

func TestWhereHistoriesPart(t *testing.T) {
	for name, one := range map[string]struct {
		told   wire.EpochEnd
		at     int64
		parted bool
	}{
		"as it was":                              {wire.EpochEnd{Epoch: 5, End: 100, Leader: 5}, 100, false},
		"longer":                                 {wire.EpochEnd{Epoch: 5, End: 120, Leader: 6}, 100, false},
		"truncated":                              {wire.EpochEnd{Epoch: 5, End: 99, Leader: 6}, 99, true},
		"the epoch is not there":                 {wire.EpochEnd{Epoch: 4, End: 120, Leader: 6}, 100, true},
		"nothing is known, of a later leader":    {wire.EpochEnd{Epoch: -1, End: -1, Leader: 6}, -1, false},
		"nothing is known, of an earlier leader": {wire.EpochEnd{Epoch: -1, End: -1, Leader: 4}, -1, true},
		"nothing is known, nor the leader's own": {wire.EpochEnd{Epoch: -1, End: -1, Leader: -1}, -1, false},
	} {
		if at, parted := partsAt(one.told, 5, 100); at != one.at || parted != one.parted {
			t.Errorf("%s: %d, %t; want %d, %t", name, at, parted, one.at, one.parted)
		}
	}
}

func TestEpochsOfOffsets(t *testing.T) {
	var e epochs
	e.note(-1, 0) // of an old format
	for i, from := range []int64{0, 10, 10, 40} {
		e.note(int32([]int{2, 2, 5, 9}[i]), from)
	}
	e.note(3, 50) // goes back: not of this log
	for offset, want := range map[int64]int32{0: -1, 1: 2, 10: 2, 11: 5, 40: 5, 41: 9, 1000: 9} {
		if got := e.at(offset); got != want {
			t.Errorf("before offset %d: %d, want %d", offset, got, want)
		}
	}
	if d := cmp.Diff([]Epoch{{2, 0}, {5, 10}}, e.below(40)); d != "" {
		t.Error(d)
	}
	for i := range int32(1000) {
		e.note(10+i, 100+int64(i))
	}
	if len(e) != mostEpochs || e.at(2000) != 1009 {
		t.Errorf("%d epochs are remembered, the last %d", len(e), e.at(2000))
	}
}
