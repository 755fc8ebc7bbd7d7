package mirror

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is read is paid for at the rate; a change of the rate is felt at once.
func TestThrottleHoldsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Copier{throttle: newThrottle()}
		began := time.Now()
		c.throttle.pay(t.Context(), 1<<30)
		if took := time.Since(began); took != 0 {
			t.Errorf("without a bound it took %s", took)
		}
		c.SetThrottle(1 << 20)
		for range 50 {
			c.throttle.pay(t.Context(), 200<<10)
		}
		if took := time.Since(began); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("10 MB at 1 MB a second took %s", took)
		}
		began = time.Now()
		done := make(chan struct{})
		go func() {
			c.throttle.pay(t.Context(), 1<<30)
			close(done)
		}()
		synctest.Wait()
		if c.throttle.waiting.Load() != 1 {
			t.Error("it does not wait")
		}
		c.SetThrottle(0)
		<-done
		if took := time.Since(began); took != 0 {
			t.Errorf("after the bound was taken away it waited for %s", took)
		}
	})
}
