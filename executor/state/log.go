package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Log is an append-only log with one order for everybody, from which an entry
// may vanish once a later one has the same key: a compacted topic with one
// partition. It is safe for concurrent use.
type Log interface {
	// Append adds entries next to each other, all or none, and returns the
	// offset of the last one when they are durable. A nil value is a tombstone.
	// It tries once. After an error the entries may be in the log, now or
	// later, unless the error has a method Permanent that says true: then
	// nothing was sent, and asking again is no use.
	Append(ctx context.Context, keys []string, values [][]byte) (last int64, err error)
	// Read calls each for every entry from an offset on up to the end at the
	// time of the call, and returns the offset to go on from.
	Read(ctx context.Context, from int64, each func(offset int64, key string, value []byte) error) (next int64, err error)
}

// Boottime is a clock that goes on while the machine is suspended. Only
// differences of its times mean something.
type Boottime interface{ Now() time.Duration }

// permanent reports whether trying again is no use.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// logVersion is the version of what the log's values look like. Records have
// one of their own.
const logVersion = 1

type kind string

const (
	kindClaim     kind = "claim"     // epoch and holder, or none: unlocked by hand
	kindBeat      kind = "beat"      // a heartbeat of the holder
	kindGone      kind = "gone"      // a holder says that it does nothing any more
	kindRecord    kind = "record"    // of the journal
	kindRequest   kind = "request"   // into the inbox
	kindWithdrawn kind = "withdrawn" // out of it
	kindTaken     kind = "taken"     // by the holder
)

// note is the value of an entry.
type note struct {
	Version int             `json:"log"`
	Kind    kind            `json:"kind"`
	Epoch   int64           `json:"epoch,omitempty"`  // of the holder that writes
	After   int64           `json:"after,omitempty"`  // claim: the epoch that it follows; void if another did
	Seated  bool            `json:"seated,omitempty"` // beat, gone: every earlier holder's lease has run out
	Mark    string          `json:"mark,omitempty"`   // claim, gone: which claim; request, withdrawn: whose try
	Holder  *Holder         `json:"holder,omitempty"` // claim
	By      *Holder         `json:"by,omitempty"`     // claim without holder: who unlocked
	At      time.Time       `json:"at,omitzero"`      // beat, for people
	ID      string          `json:"id,omitempty"`     // of the request
	Request *Request        `json:"request,omitempty"`
	Record  json.RawMessage `json:"record,omitempty"`
}

// key makes an entry's key. All but heartbeats and farewells, of which only the
// last one matters, get a key that nothing else has, each try its own: an entry
// that another could replace would vanish in a compaction, and with it the
// order of the two.
func (n note) key(seq int64) string {
	switch n.Kind {
	case kindBeat:
		return fmt.Sprintf("beat/%d", n.Epoch)
	case kindGone:
		return fmt.Sprintf("gone/%d/%s", n.Epoch, n.Mark)
	case kindClaim:
		return fmt.Sprintf("claim/%d/%s", n.Epoch, newID())
	case kindRecord:
		return fmt.Sprintf("journal/%d/%d/%s", n.Epoch, seq, newID())
	}
	return inboxKey(n.ID) + string(n.Kind) + "/" + newID()
}

func inboxKey(id string) string { return "inbox/" + id + "/" }

// inboxID finds the request to which a key of the inbox belongs.
func inboxID(key string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(key, "inbox/")
	if !ok {
		return "", false
	}
	id, _, ok = strings.Cut(rest, "/")
	return id, ok
}

// entry makes one log entry of a note.
func (n note) entry() ([]string, [][]byte, error) {
	value, err := json.Marshal(n)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the state: %w", err)
	}
	return []string{n.key(0)}, [][]byte{value}, nil
}

// decodeNote reads a value of this version or an earlier one.
func decodeNote(value []byte) (note, error) {
	var head struct {
		Version int `json:"log"`
	}
	if err := json.Unmarshal(value, &head); err != nil {
		return note{}, err
	}
	if head.Version > logVersion {
		return note{}, &newerError{head.Version}
	}
	if head.Version < 1 {
		return note{}, errors.New("it is not an entry that kplan wrote")
	}
	var n note
	err := json.Unmarshal(value, &n)
	return n, err
}
