package kafka

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kplan/internal/cluster"
)

// What is waited for is said once and again, also where a look was on its way when
// what it was about had ended and something else had begun.
func TestWaitIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var lines []string
		w := newWaits("cluster.new", func() time.Duration { return 0 }, []Option{OnWait(func(line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		})})
		all := func() []string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(lines)
		}
		first := w.begin("the first question")
		late := w.look
		looks := w.looks
		w.end(first)
		second := w.begin("the second question")
		late(looks)
		time.Sleep(cluster.SayAfter + time.Second)
		if said := all(); len(said) != 1 || !strings.Contains(said[0], "Waiting for cluster.new, for 5s now: the second question.") {
			t.Errorf("after six seconds: %q", said)
		}
		time.Sleep(cluster.SayAgain)
		if said := all(); len(said) != 2 {
			t.Errorf("after sixteen seconds: %q", said)
		}
		w.end(second)
	})
}
