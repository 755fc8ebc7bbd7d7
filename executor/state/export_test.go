package state

import (
	"os"
	"time"
)

// TTL replaces the time for which a lease lasts.
func TTL(d time.Duration) Option { return func(o *options) { o.ttl = d } }

// Alive replaces the question whether a process of this machine lives.
func Alive(f func(pid int) bool) Option { return func(o *options) { o.alive = f } }

// SwapJournal has a session of a directory write to another file, and returns
// the one before.
func SwapJournal(s Session, file *os.File) *os.File {
	j := s.(*fileSession).journal
	j.mu.Lock()
	defer j.mu.Unlock()
	was := j.file
	j.file = file
	return was
}
