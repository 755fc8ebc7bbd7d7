//go:build campaign

package worker_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// seedOf is that of KPLAN_TEST_SEED, or of the moment.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("KPLAN_TEST_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// TestMirrorMatrixOnRealBrokers is TestMirrorMatrix on clusters of three real
// brokers, with processes of the mirror that are killed: make campaign-mirror. All
// plays of a pair of versions are performed at once and have the same faults, all of
// them, in an order that a seed draws; in the end one partition of
// each source is truncated. KPLAN_TEST_SEED and KPLAN_CAMPAIGN_ONLY, a part of a
// play's name, perform one of them again, with the same faults.
func TestMirrorMatrixOnRealBrokers(t *testing.T) {
	seed := seedOf(t)
	t.Logf("KPLAN_TEST_SEED=%d", seed)
	for i, version := range []kafkatest.Version{kafkatest.V2_8_2, kafkatest.V4_3_0} {
		t.Run(string(version), func(t *testing.T) { performOnRealBrokers(t, version, seed+uint64(i)*1000) })
	}
}

func performOnRealBrokers(t *testing.T, version kafkatest.Version, seed uint64) {
	b := newRealBrokers(t, version, seed)
	only := os.Getenv("KPLAN_CAMPAIGN_ONLY")
	for i, k := range kinds() {
		for _, workers := range []bool{false, true} {
			for _, inTopic := range []bool{false, true} {
				name := matrixName(k, workers, inTopic, seed+uint64(i))
				if strings.Contains(name, only) {
					t.Logf("play %d: %s to 4.3.0, %s", len(b.plays), version, name)
					b.play(name, k, workers, inTopic, seed+uint64(i))
				}
			}
		}
	}
	if len(b.plays) == 0 {
		t.Fatalf("no play has %q in its name", only)
	}
	f := performance{T: t, plays: b.plays, faults: b.faults(), finale: b.truncate}
	f.list = slices.Sorted(maps.Keys(f.faults))
	b.rand.Shuffle(len(f.list), func(i, j int) { f.list[i], f.list[j] = f.list[j], f.list[i] })
	t.Logf("seed %d, faults: %q", seed, f.list)
	watching, unwatch := context.WithCancel(t.Context())
	var watched sync.WaitGroup
	watched.Go(func() { b.observe(watching) })
	f.run()
	unwatch()
	watched.Wait()
	sound, records := 0, 0
	for _, p := range b.plays {
		records += p.copied
		if p.compacted && p.gone == 0 {
			t.Errorf("%s: nothing was compacted: this has tried nothing", p.name)
		}
		if p.sound() {
			sound++
		}
		for number, d := range p.watched {
			if d < p.patience { // it could not have found anything
				t.Errorf("%s: the watchdog has watched partition %d for %s only: this has tried nothing", p.name, number, d.Round(time.Second))
			}
		}
	}
	t.Logf("CAMPAIGN %s to 4.3.0: %d plays, %d sound; %d faults, %d processes and %d brokers killed, %d connections cut; %d records compared", version, len(b.plays), sound, len(f.list)+2, b.killed.Load(), b.downed, b.cuts, records)
	f.verdicts()
}
