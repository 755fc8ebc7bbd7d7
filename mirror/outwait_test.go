package mirror

import (
	"errors"
	"testing"
	"time"
)

// Old records wait until a log end is known that was asked for when nothing could
// be under way any more; young ones never wait (R23).
func TestOldRecordsWaitForALogEnd(t *testing.T) {
	c := &Copier{Config: Config{MaxAge: time.Hour, Wait: time.Minute}}
	now := time.Now()
	old, young := now.AddDate(-1, 0, 0).UnixMilli(), now.UnixMilli()
	for name, test := range map[string]struct {
		quiet, looked time.Duration // from now
		stamp         int64
		ahead         bool
		waits         bool
	}{
		"old, nothing under way":                              {-time.Hour, -time.Minute, old, false, false},
		"old, something may be under way":                     {time.Minute, -time.Second, old, false, true},
		"old, a log end from before, read too early":          {-time.Second, -time.Minute, old, false, true},
		"old, a log end from when it had come":                {-time.Minute, -time.Second, old, false, false},
		"young, something may be under way":                   {time.Minute, -time.Second, young, false, false},
		"young, compacted source, something may be under way": {time.Minute, -time.Second, young, true, true},
	} {
		p := &part{quiet: now.Add(test.quiet), looked: now.Add(test.looked), ahead: test.ahead}
		if err := p.put(c, cut{time: test.stamp}); errors.Is(err, errUnderWay) != test.waits {
			t.Errorf("%s: %v", name, err)
		}
	}
}
