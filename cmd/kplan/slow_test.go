package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What is quick says nothing; what takes long says what it is, again and again.
func TestWhatTakesLongIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		end := slowly(&out, "writing to the target")
		time.Sleep(4 * time.Second)
		end()
		if out.Len() > 0 {
			t.Errorf("after four seconds: %s", out.String())
		}
		end = slowly(&out, "writing to the target")
		time.Sleep(26 * time.Second)
		end()
		if got := strings.Count(out.String(), "writing to the target.\n"); got != 3 || !strings.HasPrefix(out.String(), "At it for 5s now: ") {
			t.Errorf("after 26 seconds:\n%s", out.String())
		}
	})
}
