package endpoint

import (
	"context"
	"errors"
	"time"

	"kplan/internal/cluster"
)

const (
	awaitFirst = 500 * time.Millisecond
	awaitLast  = 10 * time.Second
)

// Await tries until it succeeds, fails for another reason than that nothing
// answers at an address (a refused login and a wrong certificate do not pass), or
// patience is over. waits is told before it waits, each time for another reason.
// The error is that of the last try.
func Await(ctx context.Context, patience time.Duration, try func() error, waits func(error)) error {
	told := ""
	for began, wait := time.Now(), awaitFirst; ; wait = min(2*wait, awaitLast) {
		err := try()
		var away *UnreachableError
		if err == nil || !errors.As(err, &away) || away.Stage != cluster.StageReach || time.Since(began)+wait > patience {
			return err
		}
		if err.Error() != told {
			told = err.Error()
			waits(err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(wait):
		}
	}
}
