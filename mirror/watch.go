package mirror

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Watch knows which workers live, by what it has seen of their entries on its own
// clock: those of other machines say nothing here. Whoever waits for workers has
// one from early on, so that the silence of one that died long ago has been heard
// out by then. It is safe for concurrent use.
type Watch struct {
	now  func() time.Duration
	dead func(Entry) bool

	mu   sync.Mutex // guards what follows
	seen map[string]seen
}

// seen is an entry, as it was seen first.
type seen struct {
	serial int64
	at     time.Duration
	dead   time.Duration // when its process was found dead; -1: it was not
}

// NewWatch makes a watch on a clock that counts suspended time. dead says whether
// the process of an entry is certain to have ended, as only its own machine can
// tell; nil: no machine can.
func NewWatch(now func() time.Duration, dead func(Entry) bool) *Watch {
	if dead == nil {
		dead = func(Entry) bool { return false }
	}
	return &Watch{now: now, dead: dead, seen: map[string]seen{}}
}

// Sign is what a watch knows of a worker.
type Sign struct {
	Entry
	Silent time.Duration // for how long its entry has been as it is, while it was watched
	Dead   bool          // its process has ended without a word
	// Left is after which time nothing of it can arrive any more, should it stay
	// silent; 0: now.
	Left time.Duration
}

// Lives reports whether the worker may still have a lease.
func (s Sign) Lives() bool { return !s.Dead && s.Silent < s.Silence-s.Wait }

// Look reads the entries, and returns what is known of each worker by now, by id.
func (w *Watch) Look(ctx context.Context, shelf Shelf) ([]Sign, error) {
	entries, err := Entries(ctx, shelf)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	var all []Sign
	for id, e := range entries {
		s, ok := w.seen[id]
		if !ok || s.serial != e.Serial {
			s = seen{serial: e.Serial, at: now, dead: -1}
		}
		if s.dead < 0 && w.dead(e) {
			s.dead = now
		}
		w.seen[id] = s
		sign := Sign{Entry: e, Silent: now - s.at, Dead: s.dead >= 0, Left: max(0, s.at+e.Silence-now)}
		if sign.Dead && e.Wait > 0 { // no lease of it has to run out
			sign.Left = min(sign.Left, max(0, s.dead+e.Wait-now))
		}
		all = append(all, sign)
	}
	for id := range w.seen {
		if _, there := entries[id]; !there {
			delete(w.seen, id)
		}
	}
	slices.SortFunc(all, func(a, b Sign) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// Living waits until it is known which workers live: until one gives a sign of
// life, or all that have an entry have been silent for as long as a lease, or are
// dead. waits is told before it waits for those that have to be heard out;
// nil: it is not.
func (w *Watch) Living(ctx context.Context, shelf Shelf, waits func([]Sign)) ([]Sign, error) {
	for first := (map[string]int64)(nil); ; {
		signs, err := w.Look(ctx, shelf)
		if err != nil {
			return nil, err
		}
		var living, open []Sign
		for _, s := range signs {
			if serial, ok := first[s.ID]; first != nil && (!ok || serial != s.Serial) {
				living = append(living, s)
			}
			if s.Lives() {
				open = append(open, s)
			}
		}
		if len(living) > 0 || len(open) == 0 {
			return living, nil
		}
		if first == nil {
			first = map[string]int64{}
			for _, s := range signs {
				first[s.ID] = s.Serial
			}
			if waits != nil {
				waits(open)
			}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(barrierPause):
		}
	}
}

// Bury takes the entries of workers away of which nothing can arrive any more. One
// that wakes up nevertheless is not overlooked: by its claim of the entry, or by
// this one's, either finds that the other came first, and it has no lease before
// it has entered itself anew. Several look after the workers: what one has taken
// away meanwhile is not written about again.
func Bury(ctx context.Context, shelf Shelf, signs []Sign) error {
	dead, err := stillThere(ctx, shelf, slices.DeleteFunc(slices.Clone(signs), func(s Sign) bool { return s.Left > 0 }))
	if err != nil || len(dead) == 0 {
		return err
	}
	var names []string
	for _, s := range dead {
		names = append(names, workerPrefix+s.ID)
	}
	late := claim(ctx, shelf, names, nil)
	if late != nil && !errors.As(late, new(superseded)) {
		return late
	}
	if dead, err = stillThere(ctx, shelf, dead); err != nil || len(dead) == 0 {
		return errors.Join(late, err)
	}
	gone := map[string][]byte{}
	for _, s := range dead {
		gone[workerPrefix+s.ID] = nil
	}
	return errors.Join(late, shelf.Put(ctx, gone))
}

// stillThere are those whose entries are as they were.
func stillThere(ctx context.Context, shelf Shelf, signs []Sign) ([]Sign, error) {
	if len(signs) == 0 {
		return nil, nil
	}
	now, err := Entries(ctx, shelf)
	return slices.DeleteFunc(signs, func(s Sign) bool { return now[s.ID].Serial != s.Serial }), err
}
