package mirror

import (
	"fmt"
	"time"
)

// going is when a partition made progress last. What is planned again after a
// refusal is none: it has been further already.
type going struct {
	moved time.Time
	acked int64 // the highest target offset that was ever acknowledged
	next  int64 // the highest source offset below which all was
	known int64 // the highest target offset whose header was looked at
}

// arrived takes an acknowledgement.
func (g *going) arrived(acked int64, now time.Time) {
	if acked > g.acked {
		g.acked, g.moved = acked, now
	}
}

// read takes what an answer of the source has led to: all is copied, or what is
// next is further on, with nothing that waits. p.mu is held.
func (g *going) read(p *part, now time.Time) {
	if p.phase != Copying || p.acked < p.planned {
		return
	}
	if p.next > g.next || p.next >= p.mark {
		g.next, g.moved = max(g.next, p.next), now
	}
}

// looked takes that the target's headers were looked at up to an offset.
func (g *going) looked(target int64, now time.Time) {
	if target > g.known {
		g.known, g.moved = target, now
	}
}

// copiedTo is the source offset below which everything is acknowledged. p.mu is
// held.
func (p *part) copiedTo() int64 {
	if p.offsets == nil {
		return 0
	}
	return p.ackedPoint().Source
}

// StalledError says that a partition has something to copy and makes no
// progress.
type StalledError struct {
	Standing Standing
	For      time.Duration
	Why      error // nil: nothing is known
}

func (e *StalledError) Error() string {
	s := e.Standing
	text := fmt.Sprintf("%s[%d]: no progress for %s; it is %s at source offset %d", s.Topic, s.Number, e.For.Round(time.Second), s.Phase, s.Copied)
	switch {
	case s.Heard.IsZero():
		text += ", and nothing was heard of the source's log yet"
	default:
		text += fmt.Sprintf(", with %d offsets to copy", s.Lag())
	}
	if e.Why == nil {
		return text + ". Nothing says why: look at the brokers that lead it on both sides, and start this mirror again"
	}
	return text + ": " + e.Why.Error()
}

func (e *StalledError) Unwrap() error { return e.Why }

// Stalled returns a *StalledError when there was something to do and no progress
// for longer than limit, nil otherwise. A partition that is Stopped says so by
// itself and is never stalled; a throttle has to let it move within limit.
func (s Standing) Stalled(now time.Time, limit time.Duration) error {
	if stood := now.Sub(s.Moved); s.Phase != Stopped && stood > limit {
		return &StalledError{Standing: s, For: stood, Why: s.Why}
	}
	return nil
}
