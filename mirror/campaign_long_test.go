//go:build campaign

package mirror_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// TestKillCampaignOnRealBrokers is the long form of TestKillsOnRealBrokers: make
// campaign-mirror.
func TestKillCampaignOnRealBrokers(t *testing.T) {
	now := func(v kafkatest.Version) *kafkatest.Cluster { return brokers.Shared(t, kafkatest.Stock(v)) }
	forgetful := brokers.Shared(t, kafkatest.Options{
		Version: kafkatest.V4_3_0, ExtraProperties: map[string]string{"producer.id.expiration.check.interval.ms": "300"},
	})
	kills := 0
	for _, c := range []struct {
		killing
		source, target *kafkatest.Cluster
	}{
		{killing{name: "2.8.2 to 4.3.0, records of today", kills: 100}, now(kafkatest.V2_8_2), now(kafkatest.V4_3_0)},
		{killing{name: "4.3.0 to 4.3.0, records of today", kills: 60}, now(kafkatest.V4_3_0), forgetful},
		{killing{name: "4.3.0 to 2.8.2, records of today", kills: 60}, now(kafkatest.V4_3_0), now(kafkatest.V2_8_2)},
		{killing{name: "2.8.2 to 4.3.0, year old records", kills: 60, old: true}, now(kafkatest.V2_8_2), forgetful},
		{killing{name: "4.3.0 to 4.3.0, year old records", kills: 60, old: true}, now(kafkatest.V4_3_0), forgetful},
		// All of the source is read again first, so that the log end that was read
		// at the start is old by then.
		{killing{name: "4.3.0 to 4.3.0, year old records, maps lost", kills: 12, old: true, forget: true, stall: 2 * time.Second}, now(kafkatest.V4_3_0), forgetful},
	} {
		if only := os.Getenv("KPLAN_CAMPAIGN_ONLY"); !strings.Contains(c.name, only) {
			continue
		}
		o := c.run(t, c.source, c.target)
		o.clean(t, c.name)
		kills += o.kills
	}
	t.Logf("CAMPAIGN kills in all: %d", kills)
	k := killing{name: "a new producer id each time, records of today", kills: 40, sabotage: true, stall: 3 * time.Second}
	k.run(t, now(kafkatest.V4_3_0), forgetful).broken(t, k.name)
	k = killing{name: "year old records without the wait", kills: 60, old: true, hasty: true, stall: 3 * time.Second}
	k.run(t, now(kafkatest.V4_3_0), forgetful).broken(t, k.name)
}
