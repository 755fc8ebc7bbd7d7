package state

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Holder says who holds the lock.
type Holder struct {
	ID    string    `json:"id,omitempty"` // what unlock takes
	Who   string    `json:"who"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Space string    `json:"space,omitempty"` // where PID means something: boot id and PID namespace
	Since time.Time `json:"since"`
	Beat  time.Time `json:"beat,omitzero"` // the last heartbeat, where there are any
	Epoch int64     `json:"epoch,omitempty"`
	Brief bool      `json:"brief,omitempty"` // it lets go within seconds: whoever wants the lock waits
}

func (h Holder) String() string {
	return fmt.Sprintf("%s on %s (process %d) since %s", h.Who, h.Host, h.PID, h.Since.Format(time.RFC3339))
}

// newID makes an id for a holder, or for a try. It never fails: crypto/rand ends the program
// instead.
func newID() string {
	var raw [4]byte
	_, _ = rand.Read(raw[:]) // documented to return no error
	return hex.EncodeToString(raw[:])
}

// processLives reports whether a process of this machine runs. One that belongs
// to somebody else does.
func processLives(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
