package driver

import (
	"strconv"
	"time"

	"kplan/internal/cluster"
)

const (
	// forgetAfter is Kafka's default of both configs that Memory reads.
	forgetAfter = 24 * time.Hour
	leastMemory = time.Millisecond
)

// Memory is the age of records from which on some broker of the target may not
// know their producer any more, by the configs of those that have told them: by a
// record's time stamp it then drops the sequence numbers that keep a late request
// out (R23). all: every broker has told. Of one that has not nothing is known, and
// all records count as older: that costs waiting after a crash, and nothing else.
func Memory(configs map[int32]map[string]cluster.Config, all bool) time.Duration {
	if !all || len(configs) == 0 {
		return leastMemory
	}
	least := time.Duration(1<<63 - 1)
	for _, told := range configs {
		limit := forgetAfter
		for _, key := range []string{"transactional.id.expiration.ms", "producer.id.expiration.ms"} { // the second since 3.5
			if c, ok := told[key]; ok {
				if ms, err := strconv.ParseInt(c.Value, 10, 64); err == nil {
					limit = time.Duration(ms) * time.Millisecond
				}
			}
		}
		least = min(least, limit)
	}
	return max(least, leastMemory)
}
