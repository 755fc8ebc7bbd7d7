package mirror_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// What is on the source is on the target: once, in order, as it was; also when
// the mirror is ended and begun again, in order or not, and forgets its map.
func TestCopyOnRealBrokers(t *testing.T) {
	for _, v := range []kafkatest.Version{kafkatest.V2_8_2, kafkatest.V4_3_0} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			source := brokers.Shared(t, kafkatest.Options{Version: v})
			target := brokers.Shared(t, kafkatest.Options{Version: kafkatest.V4_3_0, ClusterID: "kplan-mirror-target-00"})
			s := newStage(t, source, target, 3, 1, nil)
			for i := range 10 {
				s.write(t, 2000)
				c, end := s.begin(t, i%3 == 2, options(source), options(target))
				if i%2 == 0 {
					time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) // killed at some instant
					end(true)
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if err := c.Drained(ctx, s.ends(t, source)); err != nil {
					t.Fatal(err, c.Status())
				}
				cancel()
				end(false)
			}
			s.same(t)
		})
	}
}
