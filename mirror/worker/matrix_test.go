package worker_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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
	t.Parallel()
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
					newTheatre(t, k, workers, inTopic, seed).perform(1).verdicts()
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

// TestTheMatrixFindsDamage is the control of the judge: it finds a record that is
// lost, twice, strange, of another time or elsewhere than the map says.
func TestTheMatrixFindsDamage(t *testing.T) {
	source := map[int64]string{0: "a=1", 1: "b=2", 3: "a=3"}
	at := map[int64]int64{0: 0, 1: 1, 3: 2}
	target := map[int64]string{0: "a=1", 1: "b=2", 2: "a=3"}
	log := func(texts map[int64]string) map[int64]written {
		all := map[int64]written{}
		for offset, text := range texts {
			all[offset] = written{text, time.UnixMilli(1)}
		}
		return all
	}
	if found := (evidence{source, log(source), log(target), at}).judge(false); len(found) > 0 {
		t.Errorf("a sound copy: %v", found)
	}
	without := map[int64]string{1: "b=2", 3: "a=3"}
	compacted := evidence{source, log(without), log(map[int64]string{0: "b=2", 1: "a=3"}), map[int64]int64{1: 0, 3: 1}}
	if found := compacted.judge(true); len(found) > 0 {
		t.Errorf("a compacted source: %v", found)
	}
	// Of a source that was truncated only what was there before counts.
	if found := (evidence{source, nil, log(target), at}).judge(false); len(found) > 0 {
		t.Errorf("a source that was truncated: %v", found)
	}
	late := log(target)
	late[1] = written{"b=2", time.UnixMilli(2)}
	for name, one := range map[string]struct {
		target    map[int64]written
		at        map[int64]int64
		compacted bool
	}{
		"lost":                      {log(map[int64]string{0: "a=1", 1: "a=3"}), map[int64]int64{0: 0, 3: 1}, false},
		"lost of a compacted one":   {log(map[int64]string{0: "a=1", 1: "a=3"}), map[int64]int64{0: 0, 3: 1}, true},
		"twice":                     {log(map[int64]string{0: "a=1", 1: "b=2", 2: "b=2", 3: "a=3"}), map[int64]int64{0: 0, 1: 1, 3: 3}, false},
		"strange":                   {log(map[int64]string{0: "a=1", 1: "b=2", 2: "a=4"}), at, false},
		"planned and not sent":      {log(map[int64]string{0: "a=1", 1: "b=2"}), at, false},
		"elsewhere than it is said": {log(target), map[int64]int64{0: 1, 1: 0, 3: 2}, false},
		"out of order":              {log(map[int64]string{0: "b=2", 1: "a=1", 2: "a=3"}), map[int64]int64{0: 1, 1: 0, 3: 2}, false},
		"of another time":           {late, at, false},
	} {
		if found := (evidence{source, log(source), one.target, one.at}).judge(one.compacted); len(found) == 0 {
			t.Errorf("%s: nothing is found", name)
		}
	}
	// What was compacted away before it was copied is lost where nothing younger of
	// its key is there: nobody but the judge's own rule for a compacted source says so.
	for name, one := range map[string]evidence{
		"a key":            {source, log(map[int64]string{0: "a=1", 3: "a=3"}), log(map[int64]string{0: "a=1", 1: "a=3"}), map[int64]int64{0: 0, 3: 1}},
		"a key's youngest": {source, log(map[int64]string{0: "a=1", 1: "b=2"}), log(map[int64]string{0: "a=1", 1: "b=2"}), map[int64]int64{0: 0, 1: 1}},
	} {
		if found := one.judge(true); len(found) != 1 || !strings.Contains(found[0], "nor anything younger of its key") {
			t.Errorf("%s is lost of a compacted source, and found is %q", name, found)
		}
	}
	mixed := map[int64]string{0: "a=1", 1: "b=2", 2: "a=3", 3: "c=9"} // behind the old history's end
	if found := (evidence{source, nil, log(mixed), map[int64]int64{0: 0, 1: 1, 3: 2, 4: 3}}).judge(false); len(found) == 0 {
		t.Error("two histories in one log: nothing is found")
	}
}

// The watchdog names what could go on and does not, and nothing else.
func TestTheWatchdog(t *testing.T) {
	now, watched := time.Unix(1, 0), time.Duration(0)
	dog := newWatchdog(30*time.Second, func(_ int32, d time.Duration) { watched += d })
	for i, one := range []struct {
		after time.Duration
		sight
		still bool
	}{
		{0, sight{left: true, at: 5, healthy: true}, false},
		{30 * time.Second, sight{left: true, at: 5, healthy: true}, false},
		{time.Second, sight{left: true, at: 5, healthy: true}, true},
		{0, sight{left: true, at: 6, healthy: true}, false}, // progress
		{29 * time.Second, sight{left: true, at: 6, healthy: true}, false},
		{time.Second, sight{left: true, at: 6}, false}, // no leader, for a while
		{31 * time.Second, sight{left: true, at: 6}, false},
		{time.Second, sight{left: true, at: 6, healthy: true}, false},
		{30 * time.Second, sight{left: true, at: 6, healthy: true}, false},
		{time.Second, sight{at: 6, healthy: true}, false}, // nothing to do
		{31 * time.Second, sight{at: 6, healthy: true}, false},
		{time.Second, sight{left: true, at: 6, healthy: true}, false},
		{31 * time.Second, sight{left: true, at: 6, healthy: true}, true},
	} {
		now = now.Add(one.after)
		if still := dog.look(now, map[int32]sight{3: one.sight}); (len(still) > 0) != one.still {
			t.Errorf("look %d: %q", i, still)
		}
	}
	if want := 123 * time.Second; watched != want {
		t.Errorf("it has watched %s, want %s", watched, want)
	}
}

// A play whose copy is damaged, or stands still, fails by name: each of these is
// performed as all are, and then its evidence is spoilt, or a partition is kept
// from being copied without anybody being told.
func TestAPlayFailsWhereItHasTo(t *testing.T) {
	t.Parallel()
	last := func(of map[int64]written) int64 { return slices.Max(slices.Collect(maps.Keys(of))) }
	for name, one := range map[string]struct {
		spoil func(*evidence)
		want  string
	}{
		"a record dropped": {func(e *evidence) { delete(e.target, last(e.target)) }, "and target offset"},
		"a record repeated": {func(e *evidence) {
			n := last(e.target)
			e.target[n+1] = e.target[n]
		}, "which the map does not know"},
		"an entry of the map wrong": {func(e *evidence) {
			entries := sorted(e.at)
			a, b := entries[len(entries)-1], entries[len(entries)-2]
			e.at[a], e.at[b] = e.at[b], e.at[a]
		}, "before what comes before it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTheatre(t, kinds()[0], false, false, 7)
			e.spoil = func(number int32, seen *evidence) {
				if number == 1 {
					one.spoil(seen)
				}
			}
			e.perform(1)
			e.fails(t, "partition 1: ", one.want)
		})
	}
	for _, workers := range []bool{false, true} {
		t.Run(fmt.Sprintf("a healthy partition frozen, workers %v", workers), func(t *testing.T) {
			t.Parallel()
			e := newTheatre(t, kinds()[0], workers, false, 8)
			e.patience = 3 * time.Second
			e.to.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{1}, Err: kerr.NotEnoughReplicas, Count: -1})
			e.perform(1)
			e.fails(t, "the watchdog: partition 1: no progress")
		})
	}
}

// fails fails unless the play did, with some finding that has all of these texts.
func (e *theatre) fails(t *testing.T, texts ...string) {
	t.Helper()
	for _, found := range e.found {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(found, text) }) {
			return
		}
	}
	t.Errorf("it has to fail with %q, and found: %q", texts, e.found)
}

// drawn are n faults in the order in which they happen.
func drawn(r *rand.Rand, faults map[string]func(), n int) (list []string) {
	names := slices.Sorted(maps.Keys(faults))
	for range n {
		list = append(list, names[r.IntN(len(names))])
	}
	return list
}
