package worker_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kplan/mirror"
)

// sight is what can be seen of a partition from outside the mirror.
type sight struct {
	left    bool  // the source has what the target is not known to have acknowledged
	at      int64 // the source offset below which it has
	healthy bool  // nothing keeps the partition from being copied
}

// watchdog finds partitions that something could be done about, and on which
// nothing is done for too long.
type watchdog struct {
	limit   time.Duration
	at      map[int32]int64
	since   map[int32]time.Time
	looked  time.Time
	watched func(partition int32, d time.Duration)
}

func newWatchdog(limit time.Duration, watched func(int32, time.Duration)) *watchdog {
	return &watchdog{limit: limit, at: map[int32]int64{}, since: map[int32]time.Time{}, watched: watched}
}

// look takes what is seen now, and names what stands still.
func (w *watchdog) look(now time.Time, seen map[int32]sight) (still []string) {
	for number, s := range seen {
		before, known := w.at[number]
		w.at[number] = s.at
		switch since, waits := w.since[number]; {
		case !s.left || !s.healthy || !known || s.at != before:
			delete(w.since, number)
			if s.left && s.healthy {
				w.since[number] = now
			}
		case !waits:
			w.since[number] = now
		case now.Sub(since) > w.limit:
			still = append(still, fmt.Sprintf("partition %d: no progress for %s at source offset %d, and nothing keeps it from being copied", number, now.Sub(since).Round(time.Second), s.at))
		}
		if s.left && s.healthy && !w.looked.IsZero() {
			w.watched(number, now.Sub(w.looked))
		}
	}
	w.looked = now
	return still
}

// sights looks at all partitions that have one history.
func (p *play) sights(ctx context.Context) (map[int32]sight, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	healthy := p.on.healthy(p)
	asked := time.Now()
	acked, err := mirror.NewKeeper(p.shelf).Acked(ctx, []string{p.topic})
	if err != nil {
		return nil, err
	}
	answered := time.Now()
	ends, failed, err := p.eyes.StableEnds(ctx, p.ids)
	if err != nil {
		return nil, err
	}
	seen := map[int32]sight{}
	p.mu.Lock()
	defer p.mu.Unlock()
	// A state that is slower than workers bear, and one that was killed and not
	// missed yet, keep all from being copied.
	if slow := answered.Sub(asked) > p.session/3; slow || time.Now().Before(p.missed) {
		healthy = nil
	}
	for _, id := range p.ids {
		if p.over[id.Number] {
			continue
		}
		a, known := acked[id]
		s := sight{left: !known && ends[id] > 0 || known && a.Source < ends[id], at: a.Source, healthy: healthy[id.Number]}
		if failed[id] != nil { // nobody knows
			s.left, s.healthy = true, false
		}
		seen[id.Number] = s
	}
	return seen, nil
}

const lookEvery = 500 * time.Millisecond

// watch fails the play when something that could be done is not done for as long
// as its patience, or a partition is stopped.
func (p *play) watch(ctx context.Context) {
	dog := newWatchdog(p.patience, func(number int32, d time.Duration) { p.watched[number] += d })
	for ctx.Err() == nil {
		seen, err := p.sights(ctx)
		if err != nil { // what cannot be seen is not judged
			seen = map[int32]sight{}
			for _, id := range p.ids {
				seen[id.Number] = sight{left: true}
			}
		}
		if still := dog.look(time.Now(), seen); len(still) > 0 && ctx.Err() == nil {
			p.wrong("the watchdog: %s; the mirror says: %s", strings.Join(still, "; "), p.say())
			return
		}
		for number, why := range p.stopped() {
			if ctx.Err() == nil {
				p.wrong("partition %d is stopped: %s", number, why)
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}

// stopped are the partitions of one history that some process has stopped.
func (p *play) stopped() map[int32]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[int32]string{}
	for _, m := range p.members {
		for number, why := range m.stopped() {
			if !p.over[number] {
				all[number] = why
			}
		}
	}
	return all
}

// say is what the processes say, for people.
func (p *play) say() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, m := range p.members {
		all = append(all, m.said())
	}
	return strings.Join(all, "\n")
}

// arriveWithin is for all to be copied once nothing goes wrong any more: several
// times what the longest wait of a mirror takes there.
const arriveWithin = 2 * time.Minute

// arrive waits until all of the source is acknowledged, as the state tells
// anybody who asks.
func (p *play) arrive() {
	limit := time.After(arriveWithin)
	for p.sound() {
		seen, err := p.sights(p.Context())
		left := err != nil
		for _, s := range seen {
			left = left || s.left
		}
		if !left {
			return
		}
		select {
		case <-limit:
			p.wrong("not all arrives: %+v, %v; the mirror says: %s", seen, err, p.say())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
