//go:build campaign

package main

import (
	"os"
	"testing"
)

// inCampaign makes the tests of access and fences take every pair of versions
// and sizes.
const inCampaign = true

// TestCrashLoopOnRealBrokers is the whole loop on real Kafka: make
// campaign-crash. TestCrashSampleOnRealBrokers takes a few points of it.
func TestCrashLoopOnRealBrokers(t *testing.T) {
	only := os.Getenv("KPLAN_CAMPAIGN_EXAMPLE") // empty: all
	for _, example := range []string{"production-first", "production-later", mirroredExample} {
		if only != "" && only != example {
			continue
		}
		for _, c := range []crash{{example: example}, {example: example, topic: true}, {example: example, topic: true, before: true}} {
			reference, records := crashOnce(t, c, realPair)
			crashAt(t, c, realPair, reference, upTo(records))
			t.Logf("%+v: killed at each of %d journal records", c, records)
		}
	}
}
