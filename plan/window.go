package plan

import (
	"time"
)

// Window is one or more weekly recurring spans of time, such as
// "Tue,Wed 08:00-11:00 Europe/Madrid". It is what a clock on the wall of that
// zone says: where the clock is put forward, the hour that it leaves out is in
// no window; where it is put back, the hour that it shows twice is in the
// window twice. It is immutable; the zero Window is never open.
type Window struct {
	Text  string // as it stands in the plan
	spans []weekly
	zone  *time.Location
}

// weekly is one span on some days of the week.
type weekly struct {
	days     [7]bool // by time.Weekday, the day on which it begins
	from, to int64   // seconds since midnight; to at or before from: on the next day
}

const daySeconds = 24 * 60 * 60

// Open reports whether the window is open at that moment.
func (w *Window) Open(at time.Time) bool {
	_, wall := w.wall(at)
	return w.openAt(wall)
}

// Next returns when the window opens next, or at itself while it is open. It
// is the zero time for a window that never opens, which ParseWindow does not
// make.
func (w *Window) Next(at time.Time) time.Time { return w.turn(at, true) }

// Closes returns when the window that is open at that moment closes, or at
// itself while it is closed. It is the zero time for a window that never
// closes ("daily 00:00-24:00").
func (w *Window) Closes(at time.Time) time.Time { return w.turn(at, false) }

// wall returns the moment in the window's zone, and what a clock on the wall
// shows there as seconds since 1970-01-01 00:00 on that clock.
func (w *Window) wall(at time.Time) (time.Time, int64) {
	local := at.UTC()
	if w.zone != nil {
		local = at.In(w.zone)
	}
	_, offset := local.Zone()
	return local, local.Unix() + int64(offset)
}

func (w *Window) openAt(wall int64) bool {
	day := floorDiv(wall, daySeconds)
	clock := wall - day*daySeconds
	weekday := floorMod(day+int64(time.Thursday), 7) // 1970-01-01 was one
	for _, s := range w.spans {
		began, before := s.days[weekday], s.days[(weekday+6)%7]
		switch {
		case s.from < s.to && began && s.from <= clock && clock < s.to,
			s.from >= s.to && (began && s.from <= clock || before && clock < s.to):
			return true
		}
	}
	return false
}

// turn returns the first moment from at on when the window is open, or is not.
//
// Between two changes of the zone's offset the clock on the wall runs evenly,
// so the answer is one of the times at which a span begins or ends; at a
// change of the offset the clock may jump into a window or out of it.
func (w *Window) turn(at time.Time, open bool) time.Time {
	const mostChanges = 1000 // zones change twice a year, some four times
	for range mostChanges {
		local, wall := w.wall(at)
		if w.openAt(wall) == open {
			return at
		}
		_, offset := local.Zone()
		_, end := local.ZoneBounds()
		if next, ok := w.edge(wall, open); ok {
			if moment := time.Unix(next-int64(offset), 0).In(local.Location()); end.IsZero() || moment.Before(end) {
				return moment
			}
		}
		if end.IsZero() {
			break
		}
		at = end
	}
	return time.Time{}
}

// edge returns the first time on the wall behind a given one at which the
// window opens or closes, as if the clock were never put forward or back. A
// week holds all there is.
func (w *Window) edge(wall int64, open bool) (int64, bool) {
	best, found := int64(0), false
	today := floorDiv(wall, daySeconds)
	for day := today - 1; day <= today+8; day++ {
		for _, s := range w.spans {
			to := s.to
			if s.to <= s.from {
				to += daySeconds
			}
			for _, clock := range []int64{s.from, to} {
				at := day*daySeconds + clock
				if at > wall && (!found || at < best) && w.openAt(at) == open {
					best, found = at, true
				}
			}
		}
	}
	return best, found
}

func floorDiv(a, b int64) int64 {
	if q := a / b; q*b <= a {
		return q
	}
	return a/b - 1
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
