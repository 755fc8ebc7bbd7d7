package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"kplan/executor"
	"kplan/internal/notify"
	"kplan/plan"
)

// teller sends the notifications of one run. What cannot be sent is a note: a
// migration does not stop because nobody hears of it.
type teller struct {
	ctx    context.Context // not ended by an interrupt
	plan   *plan.Plan
	dir    string
	run    string
	who    string
	host   string
	stderr io.Writer

	pending sync.WaitGroup // notifications under way
}

func (t *teller) tell(m notify.Message) {
	m.Migration, m.Run, m.Who, m.Host, m.At = t.plan.Migration.Name, t.run, t.who, t.host, time.Now().UTC()
	if err := notify.Send(t.ctx, t.plan.Migration.Notify, t.dir, m); err != nil {
		fmt.Fprintf(t.stderr, "Note: %v\n", err) // a note
	}
}

// parked tells of every step that begins to wait for a person. It does not hold
// the engine up.
func (t *teller) parked(emit func(executor.Event)) func(executor.Event) {
	return func(e executor.Event) {
		emit(e)
		if p, ok := e.(executor.StepParked); ok {
			t.pending.Go(func() {
				t.tell(notify.Message{
					Occasion: plan.OnPark, Outcome: "parked", Address: p.Step.Address, Command: p.Command,
					Text: fmt.Sprintf("%s waits at %s: %s. Then: %s", t.plan.Migration.Name, p.Step.Address, p.Instruction, p.Command),
				})
			})
		}
	}
}

// ended tells how the run ended, after everything else is told.
func (t *teller) ended(doc applyDoc) {
	t.pending.Wait()
	m := notify.Message{Outcome: doc.Outcome, Errors: append(doc.Errors, doc.Stranded...)}
	switch {
	case doc.partly:
		return // it has ended where it was told to
	case doc.ExitCode == exitDone:
		m.Occasion = plan.OnDone
	case doc.Paused != nil:
		m.Occasion = plan.OnPark
	case doc.parked():
		return // told when it began
	case doc.ExitCode == exitInterrupted && len(doc.Stopped) == 0:
		return // who interrupts knows
	default:
		m.Occasion = plan.OnFail
	}
	for _, s := range doc.Stopped {
		m.Errors = append(m.Errors, fmt.Sprintf("service %s is stopped", s))
	}
	m.Text = fmt.Sprintf("%s: %s, %d of %d steps done. %s", doc.Migration, doc.Outcome, doc.Done, doc.Total, strings.Join(m.Errors, " "))
	t.tell(m)
}
