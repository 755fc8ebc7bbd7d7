package worker

import (
	"time"

	"kplan/mirror"
)

// Standing is how a worker is.
type Standing struct {
	Partitions []mirror.Standing // those that it has
	Assigned   int               // partitions that the group has given to it
	Topics     int               // that can be copied
	Pending    int               // topics whose copy apply has not begun yet
	NoLease    error             // why it must not write now; nil: it may
	// Silent is another worker that gives no sign of life, whose partitions are
	// free after Free at most; nil: none does.
	Silent *mirror.Sign
	Free   time.Duration
	Maps   mirror.Maps
}

// Standing says how the worker is now. It may be asked at any time.
func (w *Worker) Standing() Standing {
	s := Standing{Partitions: w.copier.Status(), NoLease: w.lease.check(), Maps: w.copier.Maps()}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Assigned = len(w.assigned)
	if left, who := silentFor(w.others); left > 0 {
		s.Silent, s.Free = &who, left
	}
	for name, t := range w.topics {
		switch way := w.ways.Of(name); {
		case w.epoch >= 0 && way == mirror.Pending:
			s.Pending++
		case t.Partitions > 0:
			s.Topics++
		}
	}
	return s
}
