package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"kplan/executor"
	"kplan/executor/state"
)

// Intervals between progress lines: a person watches, or a log is written.
const (
	watchedEvery = time.Second
	loggedEvery  = 10 * time.Second
	silence      = 5 * time.Second // after which it is said what a step waits for
)

// Progress prints the events of a run: one line when a step begins to matter,
// passes or fails, and one aggregate line now and then for all that wait. On a
// terminal that line is painted over itself. It is called from one goroutine
// at a time. A writer that fails silences it: progress is no reason to stop.
type Progress struct {
	w       io.Writer
	tty     bool
	now     func() time.Time
	waiting map[string]executor.StepProgress
	told    map[string]bool // of those: a line has named it
	last    time.Time
	painted bool
	broken  bool
}

// NewProgress returns a printer that begins now.
func NewProgress(w io.Writer, tty bool, now func() time.Time) *Progress {
	return &Progress{w: w, tty: tty, now: now, waiting: map[string]executor.StepProgress{}, told: map[string]bool{}, last: now()}
}

// Event takes one event.
func (p *Progress) Event(e executor.Event) {
	switch e := e.(type) {
	case executor.StepStarted:
		if e.Attempt > 1 {
			p.line("again    %s (attempt %d)", e.Step.Address, e.Attempt)
		}
	case executor.StepProgress:
		p.waiting[e.Step.Address] = e
		p.tick(e.Since >= silence && !p.told[e.Step.Address])
	case executor.StepDone:
		p.over(e.Step.Address)
		p.line("done     %s: %s (%s)", e.Step.Address, e.Text, e.Took.Round(time.Millisecond))
	case executor.BatchDone:
		p.line("done     %s", batch(e))
	case executor.StepFailed:
		p.over(e.Step.Address)
		p.line("failed   %s: %v", e.Step.Address, e.Err)
	case executor.StepSkipped:
		p.line("skipped  %s: needs %s", e.Step.Address, e.Because)
	case executor.StepParked:
		p.over(e.Step.Address)
		p.line("waiting  %s: %s", e.Step.Address, e.Instruction)
		for _, c := range e.Conditions {
			if !p.tty {
				break // the conclusion has them
			}
			p.line("           %s %s: %s", map[bool]string{true: "met    ", false: "missing"}[c.Met], c.Name, c.Text)
		}
		p.line("         %s: %s (until %s)", map[bool]string{true: "when it is done", false: "to go on"}[len(e.Conditions) == 0], e.Command, e.Until.Format(time.RFC3339))
	case executor.Restoring:
		p.line("restore  service %s is put back to the source", e.Service)
	case executor.Restored:
		p.line("restored service %s runs on the source", e.Service)
	case executor.Noted:
		p.line("note     %s", e.Text)
	case executor.Answered:
		p.line("request  %s", asked(e.Answer))
	case executor.Pausing:
		p.line("paused   nothing new is begun, %d still under way", e.Running)
	}
}

// over forgets a step that waits no more.
func (p *Progress) over(address string) {
	delete(p.waiting, address)
	delete(p.told, address)
}

// batch says how many steps of a kind have passed together.
func batch(e executor.BatchDone) string {
	var parts []string
	for _, text := range slices.Sorted(maps.Keys(e.Texts)) {
		parts = append(parts, fmt.Sprintf("%d %s", e.Texts[text], text))
	}
	return fmt.Sprintf("%s: %s (%s), %d left", e.Kind, strings.Join(parts, ", "), e.Took.Round(time.Millisecond), e.Left)
}

// asked says how far somebody's request has come.
func asked(a state.Answer) string {
	text := string(a.Verb)
	if a.Address != "" {
		text += " " + a.Address
	}
	if a.Value != "" {
		text += "=" + a.Value
	}
	text += fmt.Sprintf(" by %s from %s: %s", a.Who, a.From, a.Standing)
	if a.Why != "" {
		text += ": " + a.Why
	}
	return text
}

// tick prints the aggregate line when it is time, or at once when a step has
// waited for long that no line has named yet.
func (p *Progress) tick(news bool) {
	every := loggedEvery
	if p.tty {
		every = watchedEvery
	}
	if !news && p.now().Sub(p.last) < every {
		return
	}
	p.last = p.now()
	for address := range p.waiting {
		p.told[address] = true
	}
	text := p.aggregate()
	if p.tty {
		p.print("\r\x1b[K" + clipLine(text))
		p.painted = true
		return
	}
	p.print(text + "\n")
}

// aggregate says for what, since when and until when everything waits.
func (p *Progress) aggregate() string {
	addresses := make([]string, 0, len(p.waiting))
	for a := range p.waiting {
		addresses = append(addresses, a)
	}
	sort.Strings(addresses)
	var parts []string
	for _, a := range addresses {
		w := p.waiting[a]
		part := clean(fmt.Sprintf("%s: %s", a, w.Text))
		if w.Left > 0 {
			part += fmt.Sprintf(", %.0f records/s", w.Rate)
			if w.ETA > 0 {
				part += fmt.Sprintf(", ETA %s", w.ETA)
			}
		}
		parts = append(parts, part+fmt.Sprintf(" [%s]", w.Since.Round(time.Second)))
	}
	return "waiting  " + strings.Join(parts, "; ")
}

func clipLine(s string) string {
	const width = 160
	if r := []rune(s); len(r) > width {
		return string(r[:width-3]) + "..."
	}
	return s
}

func (p *Progress) line(format string, args ...any) {
	if p.painted {
		p.print("\r\x1b[K")
		p.painted = false
	}
	p.print(clean(fmt.Sprintf(format, args...)) + "\n")
}

func (p *Progress) print(s string) {
	if p.broken {
		return
	}
	if _, err := io.WriteString(p.w, s); err != nil {
		p.broken = true
	}
}
