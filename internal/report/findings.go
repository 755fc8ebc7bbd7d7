package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"kplan/plan/diff"
)

// Kind is a form in which a command leaves what it has found out in a file.
type Kind string

// The kinds.
const (
	KindText       Kind = "text"
	KindJSON       Kind = "json"
	KindMarkdown   Kind = "markdown"
	KindJUnit      Kind = "junit"
	KindSARIF      Kind = "sarif"
	KindPrometheus Kind = "prometheus"
)

// Kinds returns all of them, as a fresh slice.
func Kinds() []Kind {
	return []Kind{KindText, KindJSON, KindMarkdown, KindJUnit, KindSARIF, KindPrometheus}
}

// Findings are what a command has found out, however it ended. What it did not
// get to is empty.
type Findings struct {
	Command     string   // validate, diff, verify or apply
	Migration   string   // "": the plan could not be read
	Dir         string   // the plan's, relative to where kplan was started, with slashes; "": elsewhere
	VarFiles    []string // named relative to where kplan was started
	At          time.Time
	ExitCode    int
	Outcome     string // apply's, in words
	Steps       *Steps // nil: no step was begun
	Diff        *diff.Doc
	Checks      []diff.Check
	Diagnostics []diff.Diagnostic
	Errors      []string // why the command failed
	Waiting     []string // for what a parked run waits, with what to do

	// Text and JSON write what the command itself shows. Both may be called
	// more than once.
	Text, JSON func(io.Writer) error
}

// Steps says how far a run has come.
type Steps struct{ Done, Total int }

// Any reports whether there is anything to report.
func (f *Findings) Any() bool {
	return f.Diff != nil || len(f.Checks)+len(f.Diagnostics) > 0 || f.Text != nil
}

// Write writes the findings in one form.
func Write(w io.Writer, kind Kind, f *Findings) error {
	switch kind {
	case KindText:
		return f.Text(w)
	case KindJSON:
		return f.JSON(w)
	case KindMarkdown:
		return writeMarkdown(w, f)
	case KindJUnit:
		return writeJUnit(w, f)
	case KindSARIF:
		return writeSARIF(w, f)
	case KindPrometheus:
		return writePrometheus(w, f)
	}
	return fmt.Errorf("there is no report of kind %q", kind)
}

// waived stands beside the verdicts where checks are counted.
const waived = "waived"

// verdictsCounted are the words under which checks are counted, in the order in
// which they are shown.
func verdictsCounted() []string {
	return []string{string(diff.Pass), string(diff.Fail), string(diff.Unknown), string(diff.Error), waived}
}

// verdict is the word under which a check counts.
func verdict(c diff.Check) string {
	if c.Waived != "" {
		return waived
	}
	return string(c.Verdict)
}

// tally counts the checks by verdict; every verdict is there.
func tally(checks []diff.Check) map[string]int {
	counts := map[string]int{}
	for _, v := range verdictsCounted() {
		counts[v] = 0
	}
	for _, c := range checks {
		counts[verdict(c)]++
	}
	return counts
}

// broken reports whether the plan itself has errors.
func (f *Findings) broken() bool {
	return slices.ContainsFunc(f.Diagnostics, func(d diff.Diagnostic) bool { return d.Severity == "error" })
}

// verdict is the whole in a word or a few.
func (f *Findings) verdict() string {
	counts := tally(f.Checks)
	switch {
	case f.Outcome != "":
		return f.Outcome
	case f.broken():
		return "the plan has errors"
	case len(f.Errors) > 0:
		return "error"
	case counts[string(diff.Fail)] > 0:
		return string(diff.Fail)
	case counts[string(diff.Unknown)]+counts[string(diff.Error)] > 0:
		return "inconclusive"
	case f.Command == "validate":
		return "valid"
	case f.Diff == nil:
		return string(diff.Pass)
	case f.Diff.Empty():
		return "no changes"
	default:
		return "changes"
	}
}

// about names what a check is about.
func about(o diff.Object) string { return strings.TrimSpace(o.Kind + " " + clean(o.Name)) }

// spot is the place of a diagnostic, or nothing.
func spot(d diff.Diagnostic) string {
	if d.Range == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", clean(d.Range.File), d.Range.Start.Line)
}
