package driver_test

import (
	"testing"
	"time"

	"kplan/internal/cluster"
	"kplan/mirror/driver"
)

// The broker that forgets first counts; of one that does not tell it is not
// assumed that it remembers anything.
func TestMemory(t *testing.T) {
	told := func(pairs ...string) map[string]cluster.Config {
		all := map[string]cluster.Config{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = cluster.Config{Value: pairs[i+1]}
		}
		return all
	}
	const before, since = "transactional.id.expiration.ms", "producer.id.expiration.ms"
	for _, c := range []struct {
		configs map[int32]map[string]cluster.Config
		all     bool
		want    time.Duration
	}{
		{map[int32]map[string]cluster.Config{1: {}}, true, 24 * time.Hour},
		{map[int32]map[string]cluster.Config{1: told(before, "604800000")}, true, 7 * 24 * time.Hour},
		{map[int32]map[string]cluster.Config{1: told(before, "604800000", since, "1000"), 2: {}}, true, time.Second},
		{map[int32]map[string]cluster.Config{1: told(since, "86400000")}, false, time.Millisecond},
		{nil, true, time.Millisecond},
		{map[int32]map[string]cluster.Config{1: told(since, "0")}, true, time.Millisecond},
	} {
		if got := driver.Memory(c.configs, c.all); got != c.want {
			t.Errorf("%v, all %v: %s, want %s", c.configs, c.all, got, c.want)
		}
	}
}
