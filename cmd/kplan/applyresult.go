package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/migration"
	"kplan/internal/report"
	"kplan/plan/diff"
)

// applyDoc is the JSON document of apply.
type applyDoc struct {
	FormatVersion string            `json:"format_version"`
	Migration     string            `json:"migration"`
	Run           string            `json:"run"`
	Outcome       string            `json:"outcome"`
	ExitCode      int               `json:"exit_code"`
	Done          int               `json:"steps_done"`
	Total         int               `json:"steps_total"`
	Errors        []string          `json:"errors"`
	Parked        []parkDoc         `json:"parked"`
	Restored      []string          `json:"restored"`
	Stranded      []string          `json:"stranded"`
	Stopped       []string          `json:"stopped"`
	Paused        *state.Answer     `json:"paused,omitempty"` // by whom, where nothing was begun because of that
	Held          []string          `json:"held"`             // topics whose retention is held on the target
	Fences        []migration.Fence `json:"fences,omitempty"` // that stand on the source (R8)
	Diff          diff.Doc          `json:"diff"`

	partly   bool          // what was asked for is done, and not yet the plan
	lockedBy *state.Holder // who goes on now: another kplan; nil: nobody is known to
}

// parked reports whether the run waits for a person and nothing has failed.
func (d *applyDoc) parked() bool { return len(d.Parked) > 0 && len(d.Errors) == 0 }

type parkDoc struct {
	Address     string                   `json:"address"`
	Instruction string                   `json:"instruction"`
	Conditions  []executor.GateCondition `json:"conditions,omitempty"`
	Command     string                   `json:"command"`
}

// fill translates a result into words.
func (d *applyDoc) fill(r executor.Result) {
	d.ExitCode = codeOf(r)
	d.Outcome = map[int]string{
		exitDone: migration.OutcomeDone, exitError: "failed", exitParked: "parked", exitRestored: "failed, services restored to the source",
		exitStranded: "failed with a service stopped", exitInterrupted: "interrupted",
	}[d.ExitCode]
	var aborted *executor.AbortedError
	if errors.As(r.Err, &aborted) {
		d.Outcome = "aborted"
		d.Errors = append(d.Errors, aborted.Error())
	}
	var lost *state.LeaseLostError
	if errors.As(r.Err, &lost) {
		d.Outcome = "the lock was lost"
		d.lockedBy = lost.By
	}
	if len(r.Parked) > 0 && r.Err == nil {
		d.Outcome = "parked" // also with a service that stands stopped
	}
	if by := r.Paused; by != nil {
		d.Outcome = "paused"
		d.Paused = by
	}
	for _, f := range r.Failed {
		d.Errors = append(d.Errors, f.Step.Address+": "+f.Err.Error())
	}
	if len(r.Failed) == 0 && r.Err != nil && !errors.Is(r.Err, executor.ErrInterrupted) {
		d.Errors = append(d.Errors, r.Err.Error())
	}
	for _, s := range r.Stranded {
		d.Stranded = append(d.Stranded, s.Error())
	}
	for _, p := range r.Parked {
		d.Parked = append(d.Parked, parkDoc{Address: p.Step.Address, Instruction: p.Instruction, Conditions: p.Conditions, Command: p.Command})
	}
}

// unrecorded adds that the end of the run could not be written to the journal,
// unless the same has been the run's failure already.
func (d *applyDoc) unrecorded(err, failure error) {
	var before *state.WriteError
	var lost *state.LeaseLostError
	if d.ExitCode == exitDone {
		d.ExitCode, d.Outcome = exitError, "done, but its end is not recorded"
		if errors.As(err, &lost) {
			d.ExitCode = exitLocked
		}
	}
	if !errors.As(failure, &before) && !errors.As(failure, &lost) {
		d.Errors = append(d.Errors, err.Error())
	}
}

// finish prints the final document or text and returns the exit code.
func (a *app) finish(cmd *cobra.Command, doc applyDoc, result *executor.Result, found *report.Findings) error {
	doc.FormatVersion = diff.FormatVersion // it has that in it: what breaks readers of the one breaks those of the other
	doc.Errors, doc.Restored, doc.Stranded, doc.Stopped = some(doc.Errors), some(doc.Restored), some(doc.Stranded), some(doc.Stopped)
	doc.Held = some(doc.Held)
	if doc.Parked == nil {
		doc.Parked = []parkDoc{}
	}
	if doc.Diff.Changes == nil {
		doc.Diff.Changes = []diff.Change{}
	}
	if doc.Diff.Notes == nil {
		doc.Diff.Notes = []diff.Note{}
	}
	a.foundOutcome(found, doc, result != nil)
	if a.json {
		if err := printJSON(cmd.OutOrStdout(), doc); err != nil {
			return err
		}
	} else if result != nil {
		if err := a.conclude(cmd.ErrOrStderr(), doc); err != nil {
			return err
		}
	}
	if doc.ExitCode == exitDone {
		return nil
	}
	return &codedError{code: doc.ExitCode}
}

func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// conclude says how the run ended, where things stand and how to go on.
func (a *app) conclude(w io.Writer, doc applyDoc) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %d of %d steps done.\n", doc.Migration, doc.Outcome, doc.Done, doc.Total)
	for _, e := range doc.Errors {
		fmt.Fprintf(&b, "Error: %s\n", e)
	}
	for _, s := range doc.Restored {
		fmt.Fprintf(&b, "Service %s runs on the source again.\n", s)
	}
	if len(doc.Restored) > 0 {
		fmt.Fprintf(&b, "What already runs on the target stays there: readers that are still on the source get none of its records until the next apply.\n")
	}
	if len(doc.Held) > 0 {
		fmt.Fprintf(&b, "Retention is still held on the target: %s (retention.ms and retention.bytes are -1).\n", strings.Join(doc.Held, ", "))
	}
	report.Fences(&b, doc.Fences)
	for _, s := range doc.Stranded {
		fmt.Fprintf(&b, "PAGE SOMEONE: %s\n", s)
	}
	for _, s := range doc.Stopped {
		fmt.Fprintln(&b, stoppedText(s, doc.lockedBy))
	}
	for _, p := range doc.Parked {
		fmt.Fprintf(&b, "Parked at %s: %s\n", p.Address, p.Instruction)
		for _, c := range p.Conditions {
			fmt.Fprintf(&b, "  %-7s  %s: %s\n", map[bool]string{true: "met", false: "missing"}[c.Met], c.Name, c.Text)
			if !c.Met && c.Command != "" {
				fmt.Fprintf(&b, "           %s\n", c.Command)
			}
		}
		if len(p.Conditions) == 0 {
			fmt.Fprintf(&b, "  when it is done: %s\n", p.Command)
		}
	}
	if doc.ExitCode != exitDone || doc.partly {
		if by := doc.Paused; by != nil {
			fmt.Fprintf(&b, "Paused by %s from %s at %s%s. First: %s\n", by.Who, by.From, by.At.Format(time.RFC3339), report.ReasonOf(*by), a.command("resume"))
		}
		if doc.lockedBy == nil {
			fmt.Fprintf(&b, "To go on: %s\n", a.command("apply"))
		}
	}
	_, err := io.WriteString(w, report.Printable(b.String()))
	return err
}
