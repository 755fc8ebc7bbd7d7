package workload

import (
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// seqSet is a set of sequences, a bit each, in words of 64 that exist only where
// a bit is set: a sequence that a damaged record claims costs no more than
// another.
type seqSet map[int64]uint64

// add puts a sequence in and tells whether it was new.
func add(sets map[string]seqSet, key string, seq int64) bool {
	set := sets[key]
	if set == nil {
		set = seqSet{}
		sets[key] = set
	}
	word, bit := seq>>6, uint64(1)<<(seq&63)
	if set[word]&bit != 0 {
		return false
	}
	set[word] |= bit
	return true
}

func union(sets map[string]seqSet, key string, more seqSet) {
	set := sets[key]
	if set == nil {
		set = seqSet{}
		sets[key] = set
	}
	for word, bits := range more {
		set[word] |= bits
	}
}

func (s seqSet) count() int64 {
	var n int64
	for _, word := range s {
		n += int64(bits.OnesCount64(word))
	}
	return n
}

// difference yields what is in a and not in b, keys and sequences ascending.
func difference(a, b map[string]seqSet) iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, key := range slices.Sorted(maps.Keys(a)) {
			for _, word := range slices.Sorted(maps.Keys(a[key])) {
				for rest := a[key][word] &^ b[key][word]; rest != 0; rest &= rest - 1 {
					if !yield(key, word<<6|int64(bits.TrailingZeros64(rest))) {
						return
					}
				}
			}
		}
	}
}

func compareText(a, b string) int { return strings.Compare(a, b) }
