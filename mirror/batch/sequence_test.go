package batch

import (
	"errors"
	"math"
	"testing"
)

func TestSequence(t *testing.T) {
	cases := []struct {
		target, start, markers int64
		want                   int32
	}{
		{0, 0, 0, 0},
		{10, 0, 3, 7},
		{110, 100, 3, 7},
		{math.MaxInt32, 0, 0, math.MaxInt32},
		{math.MaxInt32 + 1, 0, 0, 0},
		{5 * (1 << 31), 0, 1, math.MaxInt32},
		{math.MaxInt64, 0, 0, math.MaxInt32},
	}
	for _, c := range cases {
		if got, err := Sequence(c.target, c.start, c.markers); err != nil || got != c.want {
			t.Errorf("Sequence(%d, %d, %d) = %d, %v; want %d", c.target, c.start, c.markers, got, err, c.want)
		}
	}
	for _, c := range [][3]int64{{9, 10, 0}, {10, 0, 11}, {5, -1, 0}, {5, 0, -1}} {
		if got, err := Sequence(c[0], c[1], c[2]); err == nil {
			t.Errorf("Sequence%v = %d", c, got)
		}
	}
}

func TestAcknowledged(t *testing.T) {
	var misplaced *MisplacedError
	if err := CheckAcknowledged(5, 5); err != nil {
		t.Error(err)
	}
	if err := CheckAcknowledged(5, 7); !errors.As(err, &misplaced) || misplaced.Planned != 5 || misplaced.Found != 7 {
		t.Error(err)
	}
	if err := CheckAcknowledged(5, -1); err == nil {
		t.Error("an answer without a place is taken")
	}
}

func TestCheckStored(t *testing.T) {
	at := func(offset int64, sequence int32) Batch {
		s := plain(offset, 1)
		s.sequence = sequence
		return parse(t, encode(t, s))
	}
	if err := CheckStored(at(110, 7), 100, 3); err != nil {
		t.Error(err)
	}
	var misplaced *MisplacedError
	if err := CheckStored(at(110, 5), 100, 3); !errors.As(err, &misplaced) || misplaced.Planned != 108 || misplaced.Found != 110 {
		t.Error(err)
	}
	if err := CheckStored(at(1<<31, math.MaxInt32), 0, 0); !errors.As(err, &misplaced) || misplaced.Planned != 1<<31-1 {
		t.Error(err)
	}
	if err := CheckStored(at(1<<31-1, 0), 0, 0); !errors.As(err, &misplaced) || misplaced.Planned != 1<<31 {
		t.Error(err)
	}
	if err := CheckStored(at(1, 0), 5, 0); err == nil {
		t.Error("a place before the phase is taken")
	}
}
