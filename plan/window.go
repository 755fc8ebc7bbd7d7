package plan

import (
	"time"
)

// Window is a weekly recurring span of time, such as
// "Tue,Wed 08:00-11:00 Europe/Madrid".
type Window struct {
	Text     string // as it stands in the plan
	days     [7]bool
	from, to time.Duration // since midnight; to before from: into the next day
	zone     *time.Location
}

// Open reports whether the window is open at that moment.
func (w *Window) Open(at time.Time) bool { return false }

// Next returns when the window opens next, or at itself while it is open.
func (w *Window) Next(at time.Time) time.Time { return at }
