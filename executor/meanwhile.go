package executor

import (
	"fmt"
	"time"

	"kplan/internal/cluster"
)

// meanwhile says what is waited for, again and again, until end is called: a
// program of a switch may run for minutes, and says nothing here.
func (r *run) meanwhile(step, text string) (end func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	began := r.Clock.Now()
	go func() {
		defer close(ended)
		for {
			select {
			case <-over:
				return
			case <-r.Clock.After(cluster.SayAfter):
			}
			if s := r.Graph.Step(step); s != nil && r.attempt(step) > 0 {
				r.progress(s, StepProgress{Text: text})
				continue
			}
			r.emit(Noted{Text: fmt.Sprintf("%s: %s [%s]", step, text, r.Clock.Now().Sub(began).Round(time.Second))})
		}
	}()
	return func() { close(over); <-ended }
}
