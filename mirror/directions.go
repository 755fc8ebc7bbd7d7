package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Way is what the state asks of the copy of a topic.
type Way string

// The ways. A topic that is not named is Pending: apply has not begun its copy
// yet, be it that it has not looked yet whether anything is in its way.
const (
	Pending Way = ""
	Forward Way = "forward"
	Halted  Way = "stopped"
)

// Directions are what the state asks of all workers (R18). Only the holder of
// the migration's lock writes them. Each change has a higher epoch; the zero
// value is what counts before the first one.
type Directions struct {
	Epoch  int64          `json:"epoch"`
	Topics map[string]Way `json:"topics"`
}

// Of returns the way of a topic.
func (d Directions) Of(topic string) Way { return d.Topics[topic] }

// Entry is what a worker tells of itself, every few seconds. One that stays as
// it is belongs to a worker that is dead, or stands still.
type Entry struct {
	ID         string   `json:"id"`
	Host       string   `json:"host"`
	PID        int      `json:"pid"`
	Epoch      int64    `json:"epoch"` // of the directions that it has carried out, with nothing under way; -1: none yet
	Partitions int      `json:"partitions"`
	Stopped    []string `json:"stopped,omitempty"` // partitions that cannot be copied, with why, some of them
	Lag        int64    `json:"lag"`               // records, of its partitions
	Records    int64    `json:"records"`           // copied since it began
	Bytes      int64    `json:"bytes"`
	Rate       float64  `json:"rate"`   // bytes a second
	Serial     int64    `json:"serial"` // grows with each writing
	// Silence is how long after its last writing nothing of it can arrive any
	// more: its lease, and the time for which a request may be under way.
	Silence   time.Duration `json:"silence_ns"`
	Wait      time.Duration `json:"wait_ns,omitempty"`    // the second of these alone; 0: not told
	Unknown   int           `json:"unknown,omitempty"`    // of its partitions: those whose lag is not known yet, and not in Lag
	Member    string        `json:"member,omitempty"`     // of the workers' group
	Space     string        `json:"space,omitempty"`      // where PID means something: boot id and PID namespace
	Maps      int64         `json:"maps,omitempty"`       // bytes that its offset maps take
	MapsWhole string        `json:"maps_whole,omitempty"` // why these do not become small; "": they do, or are
	WrittenAt time.Time     `json:"written_at"`
}

// Name says who it is, for people.
func (e Entry) Name() string { return fmt.Sprintf("worker %s on %s (process %d)", e.ID, e.Host, e.PID) }

// Where the shelf has them.
const (
	directionName = "direction"
	rateName      = "rate"
	workerPrefix  = "worker/"
)

// ReadDirections returns what the state asks for.
func ReadDirections(ctx context.Context, shelf Shelf) (Directions, error) {
	var d Directions
	values, err := shelf.All(ctx, directionName)
	if err != nil {
		return d, fmt.Errorf("reading the mirror's directions: %w", err)
	}
	if text, ok := values[directionName]; ok {
		if err := json.Unmarshal(text, &d); err != nil {
			return d, fmt.Errorf("reading the mirror's directions: %w", err)
		}
	}
	return d, nil
}

// Direct makes the ways of some topics what the state asks for, and returns the
// directions with their new epoch; those of other topics stay. Where nothing
// changes the epoch does not either. The caller holds the migration's lock, and
// waits with Barrier before it relies on anything.
func Direct(ctx context.Context, shelf Shelf, ways map[string]Way) (Directions, error) {
	d, err := ReadDirections(ctx, shelf)
	if err != nil {
		return d, err
	}
	next := Directions{Epoch: d.Epoch, Topics: map[string]Way{}}
	for topic, way := range d.Topics {
		next.Topics[topic] = way
	}
	for topic, way := range ways {
		if d.Of(topic) != way {
			next.Epoch = d.Epoch + 1
		}
		next.Topics[topic] = way
	}
	if next.Epoch == d.Epoch {
		return d, nil
	}
	text, err := json.Marshal(next)
	if err != nil {
		return d, fmt.Errorf("encoding the mirror's directions: %w", err)
	}
	if err := shelf.Put(ctx, map[string][]byte{directionName: text}); err != nil {
		return d, fmt.Errorf("keeping the mirror's directions: %w", err)
	}
	return next, nil
}

// SetRate keeps how many bytes a second all workers together may copy; 0: as
// many as they can. It takes the place of what their plan says.
func SetRate(ctx context.Context, shelf Shelf, bytesPerSecond int64) error {
	text, err := json.Marshal(bytesPerSecond)
	if err != nil {
		return fmt.Errorf("encoding the mirror's rate: %w", err)
	}
	if err := shelf.Put(ctx, map[string][]byte{rateName: text}); err != nil {
		return fmt.Errorf("keeping the mirror's rate: %w", err)
	}
	return nil
}

// Rate returns what SetRate has kept; false: nothing.
func Rate(ctx context.Context, shelf Shelf) (bytesPerSecond int64, kept bool, err error) {
	values, err := shelf.All(ctx, rateName)
	if err != nil {
		return 0, false, fmt.Errorf("reading the mirror's rate: %w", err)
	}
	text, kept := values[rateName]
	if !kept {
		return 0, false, nil
	}
	if err := json.Unmarshal(text, &bytesPerSecond); err != nil {
		return 0, false, fmt.Errorf("reading the mirror's rate: %w", err)
	}
	return bytesPerSecond, true, nil
}

// Entries returns what the workers tell of themselves, by id.
func Entries(ctx context.Context, shelf Shelf) (map[string]Entry, error) {
	values, err := shelf.All(ctx, workerPrefix)
	if err != nil {
		return nil, fmt.Errorf("reading the mirror's workers: %w", err)
	}
	all := map[string]Entry{}
	for name, text := range values {
		var e Entry
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("reading %s of the mirror's state: %w", name, err)
		}
		all[strings.TrimPrefix(name, workerPrefix)] = e
	}
	return all, nil
}

// Enter keeps what a worker tells of itself. The first time, and whenever the
// entry was taken away meanwhile, it has to be claimed first, with ClaimEntry.
func Enter(ctx context.Context, shelf Shelf, e Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding what a worker tells: %w", err)
	}
	return shelf.Put(ctx, map[string][]byte{workerPrefix + e.ID: text})
}

// ClaimEntry makes a worker the one that keeps its entry: what somebody else has
// sent about it, as to take it away, counts no more.
func ClaimEntry(ctx context.Context, shelf Shelf, id string) error {
	return claim(ctx, shelf, []string{workerPrefix + id}, nil)
}

// Leave says that a worker does nothing any more.
func Leave(ctx context.Context, shelf Shelf, id string) error {
	return shelf.Put(ctx, map[string][]byte{workerPrefix + id: nil})
}

// BarrierError says which workers have not carried out the directions yet.
type BarrierError struct {
	Epoch   int64
	Workers []Sign
	Err     error // why nobody waits any more
}

func (e *BarrierError) Error() string {
	var names []string
	for _, w := range e.Workers {
		name := w.Name()
		if w.Dead {
			name += fmt.Sprintf(", which is dead and is waited for %s longer", w.Left.Round(time.Second))
		}
		names = append(names, name)
	}
	return fmt.Sprintf("waiting for the mirror's workers to carry out the directions of epoch %d: %s: %v. Look at their output; one that is ended lets go at once, one that was killed after its lease",
		e.Epoch, strings.Join(names, ", "), e.Err)
}

func (e *BarrierError) Unwrap() error { return e.Err }

const barrierPause = 250 * time.Millisecond

// Barrier waits until no worker copies by older directions (R18): each has
// carried out that epoch with nothing under way, or is gone, or nothing of it can
// arrive any more by what the watch knows. waits is told whom is waited for, each
// time that it looks; nil: it is not. The error is that of the shelf, or a
// *BarrierError when ctx ends before.
func Barrier(ctx context.Context, shelf Shelf, epoch int64, watch *Watch, waits func([]Sign)) error {
	for {
		signs, err := watch.Look(ctx, shelf)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(signs, func(s Sign) bool { return s.Epoch >= epoch || s.Left == 0 })
		if len(left) == 0 {
			return nil
		}
		if waits != nil {
			waits(left)
		}
		select {
		case <-ctx.Done():
			return &BarrierError{Epoch: epoch, Workers: left, Err: context.Cause(ctx)}
		case <-time.After(barrierPause):
		}
	}
}
