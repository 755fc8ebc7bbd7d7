package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Backend is where the state of one migration is kept. All of it may be used
// from any number of processes and goroutines at once.
type Backend interface {
	Reader
	Locker
	Mailbox
	io.Closer
	// Where names the place for people, such as "the directory .kplan/orders".
	Where() string
}

// Reader reads the state without a lock.
type Reader interface {
	// Read folds the journal. A migration that was never applied has the zero
	// state.
	Read(ctx context.Context) (State, error)
	// Holder says who holds the lock now; nil: nobody.
	Holder(ctx context.Context) (*Holder, error)
}

// Locker gives the right to act to one process at a time.
type Locker interface {
	// Acquire takes the lock. A *LockedError says who has it.
	Acquire(ctx context.Context, h Holder) (Session, error)
	// Unlock takes the lock away from the holder with that id. The holder finds
	// out before its next effect. It is refused where the backend itself knows
	// that the holder lives on and cannot be told.
	Unlock(ctx context.Context, id string, by Holder) error
}

// Mailbox takes requests from people, whether or not an apply runs.
type Mailbox interface {
	// Put leaves a request.
	Put(ctx context.Context, r Request) error
	// Withdraw takes a request back. It fails with ErrTaken when the request
	// has taken effect before, and with ErrNoRequest when there is none.
	Withdraw(ctx context.Context, id string) error
	// Requests returns what is in the inbox, oldest first: requests that wait
	// and those that are taken and not yet cleared.
	Requests(ctx context.Context) ([]Request, error)
}

// Session is a held lock. When the lock is lost Lost is closed, and every
// method but Release fails with *LeaseLostError.
type Session interface {
	// State is the fold at the time of the acquisition.
	State() State
	// Left is the holder that ended without letting go; nil: none.
	Left() *Holder
	// Epoch is the fencing token: it grows with every holder.
	Epoch() int64
	// Append writes records in order and returns them, numbered and dated, when
	// all of them are durable. After a failure any prefix may be durable.
	Append(records ...Record) ([]Record, error)
	// Check asks whether this process still holds the lock. It is called before
	// every effect and costs no round trip.
	Check() error
	// Lost is closed when the lock is found to be lost.
	Lost() <-chan struct{}
	// Take makes a request this session's own: from here on it cannot be
	// withdrawn. It fails with ErrNoRequest when it was withdrawn before.
	// Taking twice is harmless.
	Take(ctx context.Context, id string) error
	// Clear takes a request out of the inbox, once the journal has what became
	// of it.
	Clear(ctx context.Context, id string) error
	// Release lets go of the lock.
	Release() error
}

// Request is what somebody asks of the apply that runs, or of the next one.
type Request struct {
	ID       string    `json:"id"`
	Verb     Verb      `json:"verb"`
	Address  string    `json:"address,omitempty"` // a step or gate; for set ADDRESS.ATTRIBUTE
	As       string    `json:"as,omitempty"`      // approve: which approval of the gate
	Value    string    `json:"value,omitempty"`   // set
	Reason   string    `json:"reason,omitempty"`
	PlanHash string    `json:"plan_hash,omitempty"` // of the plan that the person had before them
	Who      string    `json:"who"`
	From     string    `json:"from"` // host
	At       time.Time `json:"at"`
	Taken    bool      `json:"taken,omitempty"`
}

// Verb is what a request asks for.
type Verb string

// The verbs.
const (
	VerbDone     Verb = "done"
	VerbApprove  Verb = "approve"
	VerbReject   Verb = "reject"
	VerbPause    Verb = "pause"
	VerbResume   Verb = "resume"
	VerbAbort    Verb = "abort"
	VerbSet      Verb = "set"
	VerbVerified Verb = "verified" // the verdict of a kplan verify --record
)

// ErrNoRequest says that the inbox has no such request: it was never there, or
// withdrawn, or is long dealt with.
var ErrNoRequest = errors.New("no such request")

// ErrTaken says that a request has taken effect and cannot be withdrawn.
var ErrTaken = errors.New("the request has taken effect")

// LeaseLostError says that this process no longer holds the lock. Nothing that
// changes anything may be done any more.
type LeaseLostError struct {
	Where string
	Epoch int64   // that was ours
	By    *Holder // who has it now; nil: not known
	Why   string
}

func (e *LeaseLostError) Error() string {
	msg := fmt.Sprintf("the lock of the state in %s is lost: %s", e.Where, e.Why)
	if e.By != nil {
		msg += fmt.Sprintf(". It is now held by %s", e.By)
	}
	return msg + ". Nothing more was begun; what was under way is looked at again by the next apply"
}
