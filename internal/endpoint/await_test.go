package endpoint_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
)

// What does not answer is waited for; what answers and refuses is not.
func TestAwait(t *testing.T) {
	away := &endpoint.UnreachableError{Endpoint: "cluster old", Stage: cluster.StageReach}
	for name, c := range map[string]struct {
		tries []error // then nil
		want  error
		took  time.Duration
		told  int
	}{
		"there":          {},
		"comes":          {tries: []error{away, away, away}, took: 3500 * time.Millisecond, told: 1},
		"refuses":        {tries: []error{&endpoint.UnreachableError{Stage: cluster.StageLogin}}, want: &endpoint.UnreachableError{}},
		"never":          {tries: make([]error, 100), want: away, took: 55500 * time.Millisecond, told: 1},
		"something else": {tries: []error{away, errors.ErrUnsupported}, want: errors.ErrUnsupported, took: 500 * time.Millisecond, told: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, told := 0, 0
				began := time.Now()
				err := endpoint.Await(t.Context(), time.Minute, func() error {
					if n++; n > len(c.tries) {
						return nil
					}
					if name == "never" {
						return away
					}
					return c.tries[n-1]
				}, func(error) { told++ })
				if (err == nil) != (c.want == nil) || time.Since(began) != c.took || told != c.told {
					t.Errorf("%v after %s, told %d times", err, time.Since(began), told)
				}
			})
		})
	}
}
