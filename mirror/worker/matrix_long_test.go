//go:build campaign

package worker_test

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// TestMirrorMatrixCampaign is the long form of TestMirrorMatrix: many faults, some
// of which outlast the patience of whatever waits, with a seed of the moment, or
// that of KPLAN_TEST_SEED: make campaign-mirror.
func TestMirrorMatrixCampaign(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("KPLAN_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	const rounds = 3
	for round := range uint64(rounds) {
		for i, k := range kinds() {
			for _, workers := range []bool{false, true} {
				for _, inTopic := range []bool{false, true} {
					seed := seed + 100*round + uint64(i)
					t.Run(matrixName(k, workers, inTopic, seed), func(t *testing.T) {
						t.Parallel()
						p := newPlay(t, k, workers, inTopic, seed)
						p.longest = 8 * time.Second
						p.perform(12)
					})
				}
			}
		}
	}
}
