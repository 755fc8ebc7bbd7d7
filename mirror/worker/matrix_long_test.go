//go:build campaign

package worker_test

import (
	"testing"
	"time"
)

// TestMirrorMatrixCampaign is the long form of TestMirrorMatrix: many faults, some
// of which outlast the patience of whatever waits, with a seed of the moment, or
// that of KPLAN_TEST_SEED: make campaign-mirror.
func TestMirrorMatrixCampaign(t *testing.T) {
	seed := seedOf(t)
	const rounds = 3
	for round := range uint64(rounds) {
		for i, k := range kinds() {
			for _, workers := range []bool{false, true} {
				for _, inTopic := range []bool{false, true} {
					seed := seed + 100*round + uint64(i)
					t.Run(matrixName(k, workers, inTopic, seed), func(t *testing.T) {
						t.Parallel()
						e := newTheatre(t, k, workers, inTopic, seed)
						e.longest = 8 * time.Second
						e.perform(12).verdicts()
					})
				}
			}
		}
	}
}
