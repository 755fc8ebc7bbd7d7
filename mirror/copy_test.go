package mirror_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// What is on the source is on the target: once, in order, as it was; also when
// the mirror is ended and begun again, in order or not, and forgets its map.
func TestCopyOnRealBrokers(t *testing.T) {
	for _, way := range [][2]kafkatest.Version{{kafkatest.V2_8_2, kafkatest.V4_3_0}, {kafkatest.V4_3_0, kafkatest.V2_8_2}} {
		t.Run(fmt.Sprintf("%s to %s", way[0], way[1]), func(t *testing.T) {
			t.Parallel()
			source := brokers.Shared(t, kafkatest.Stock(way[0]))
			target := brokers.Shared(t, kafkatest.Stock(way[1]))
			s := newStage(t, source, target, 3, 1, nil)
			for i := range 6 {
				s.write(t, 2000)
				c, end := s.begin(t, i%3 == 2, options(source), options(target))
				if i%2 == 0 {
					<-time.After(time.Duration(rand.IntN(200)) * time.Millisecond) // the instant is what is tried, not waited for
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
