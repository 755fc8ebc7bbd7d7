package worker_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// kind is what the source of a play is like.
type kind struct {
	name          string
	configs       map[string]string
	compacted     bool
	transactional bool
}

func kinds() []kind {
	return []kind{
		{name: "plain"},
		{name: "transactional, some aborted", transactional: true},
		{name: "compacted", configs: map[string]string{"cleanup.policy": "compact"}, compacted: true},
		{name: "LogAppendTime", configs: map[string]string{"message.timestamp.type": "LogAppendTime"}},
	}
}

// TestMirrorMatrix copies each kind of source with one copier or two workers,
// with the state in files or in a topic, while both sides, the state and the
// mirror itself have the faults of matrixFaults, drawn by a seed. Then the source
// is idle, all of it has to arrive, and both logs and the kept maps are compared
// record by record. A partition that stands still for half a minute fails it. The
// long form, with seeds of the moment, is a campaign (TestMirrorMatrixCampaign).
func TestMirrorMatrix(t *testing.T) {
	for i, k := range kinds() {
		for _, workers := range []bool{false, true} {
			for _, inTopic := range []bool{false, true} {
				seed := uint64(i*4 + 1)
				if workers {
					seed += 2
				}
				if inTopic {
					seed++
				}
				t.Run(matrixName(k, workers, inTopic, seed), func(t *testing.T) {
					t.Parallel()
					newPlay(t, k, workers, inTopic, seed).perform(1)
				})
			}
		}
	}
}

func matrixName(k kind, workers, inTopic bool, seed uint64) string {
	run, where := "one copier", "files"
	if workers {
		run = "two workers"
	}
	if inTopic {
		where = "a topic"
	}
	return fmt.Sprintf("%s, %s, state in %s, seed %d", k.name, run, where, seed)
}

// matrixFaults are what can happen. Each begins and, if it lasts, ends before it
// returns.
func matrixFaults() map[string]func(*play) {
	return map[string]func(*play){
		"a process is killed":                     (*play).kill,
		"a process hands over while it is cut":    (*play).handOver,
		"too few replicas":                        (*play).refuse,
		"too few replicas behind the append":      (*play).refuseLate,
		"a partition of the target has no leader": (*play).leaderless,
		"leaders move":                            (*play).moveLeaders,
		"connections are cut":                     (*play).cut,
		"the state is out of reach":               (*play).loseState,
		"the source is compacted":                 (*play).compact,
	}
}

// TestTheMatrixFindsDamage is its control: the same judge finds a record that is
// lost, twice, strange or elsewhere than the map says.
func TestTheMatrixFindsDamage(t *testing.T) {
	source := map[int64]string{0: "a=1", 1: "b=2", 3: "a=3"}
	at := map[int64]int64{0: 0, 1: 1, 3: 2}
	target := map[int64]string{0: "a=1", 1: "b=2", 2: "a=3"}
	if found := judge(source, source, target, at, false); len(found) > 0 {
		t.Errorf("a sound copy: %v", found)
	}
	without := map[int64]string{1: "b=2", 3: "a=3"}
	if found := judge(source, without, map[int64]string{0: "b=2", 1: "a=3"}, map[int64]int64{1: 0, 3: 1}, true); len(found) > 0 {
		t.Errorf("a compacted source: %v", found)
	}
	for name, one := range map[string]struct {
		target    map[int64]string
		at        map[int64]int64
		compacted bool
	}{
		"lost":                      {map[int64]string{0: "a=1", 1: "a=3"}, map[int64]int64{0: 0, 3: 1}, false},
		"lost of a compacted one":   {map[int64]string{0: "a=1", 1: "a=3"}, map[int64]int64{0: 0, 3: 1}, true},
		"twice":                     {map[int64]string{0: "a=1", 1: "b=2", 2: "b=2", 3: "a=3"}, map[int64]int64{0: 0, 1: 1, 3: 3}, false},
		"strange":                   {map[int64]string{0: "a=1", 1: "b=2", 2: "a=4"}, at, false},
		"planned and not sent":      {map[int64]string{0: "a=1", 1: "b=2"}, at, false},
		"elsewhere than it is said": {target, map[int64]int64{0: 1, 1: 0, 3: 2}, false},
	} {
		if found := judge(source, source, one.target, one.at, one.compacted); len(found) == 0 {
			t.Errorf("%s: nothing is found", name)
		}
	}
}

// while is how long a fault lasts: long enough for a few tries, and in a campaign
// for more patience than some of them have.
func (p *play) while() time.Duration {
	return 100*time.Millisecond + time.Duration(p.rand.Int64N(int64(p.longest)))
}

// drawn are n faults in the order in which they happen.
func drawn(r *rand.Rand, names []string, n int) []string {
	var all []string
	for range n {
		all = append(all, names[r.IntN(len(names))])
	}
	return all
}
