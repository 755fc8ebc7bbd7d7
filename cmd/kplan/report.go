package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"kplan/internal/migration"
	"kplan/internal/report"
	"kplan/plan"
	"kplan/plan/diff"
)

// reportKinds says of which kinds a command's reports can be; none: it makes no
// reports.
func reportKinds(command string) []report.Kind {
	switch command {
	case "validate": // has no checks
		return []report.Kind{report.KindText, report.KindJSON, report.KindMarkdown, report.KindSARIF}
	case "diff":
		return report.Kinds()
	case "verify", "apply", "probe": // what they find out is in no file
		return []report.Kind{report.KindText, report.KindJSON, report.KindMarkdown, report.KindJUnit, report.KindPrometheus}
	}
	return nil
}

// parseReport takes a value of --report apart.
func parseReport(value string) (report.Kind, string, error) {
	kind, file, ok := strings.Cut(value, "=")
	switch {
	case !ok || kind == "" || file == "":
		return "", "", fmt.Errorf("--report %s: want KIND=FILE, such as markdown=diff.md", value)
	case file == "-":
		return "", "", fmt.Errorf("--report %s: standard output is for the result itself: name a file", value)
	case !slices.Contains(report.Kinds(), report.Kind(kind)):
		return "", "", fmt.Errorf("--report %s: there is no kind %q: want one of %s", value, kind, words(report.Kinds()))
	}
	return report.Kind(kind), file, nil
}

func words(kinds []report.Kind) string {
	var all []string
	for _, k := range kinds {
		all = append(all, string(k))
	}
	return strings.Join(all, ", ")
}

// checkReports refuses reports that the command cannot make, or that could not
// be written, before anything is done.
func (a *app) checkReports(cmd *cobra.Command) error {
	var errs []error
	taken := map[string]bool{}
	for _, value := range a.reports {
		kind, file, err := parseReport(value)
		kinds := reportKinds(cmd.Name())
		switch {
		case err != nil:
		case len(kinds) == 0:
			err = fmt.Errorf("--report %s: kplan %s makes no reports: validate, diff, verify, probe and apply do", value, cmd.Name())
		case !slices.Contains(kinds, kind):
			err = fmt.Errorf("--report %s: kplan %s has nothing that a %s report could say; its kinds are %s", value, cmd.Name(), kind, words(kinds))
		case taken[filepath.Clean(file)]:
			err = fmt.Errorf("--report %s: another report goes to %s already", value, file)
		default:
			if err = report.CheckFile(file); err != nil {
				err = fmt.Errorf("--report %s: %w", value, err)
			}
		}
		taken[filepath.Clean(file)] = true
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// reported runs a command and leaves the reports that were asked for, however
// it ended, unless it had found out nothing.
func (a *app) reported(cmd *cobra.Command, do func(*cobra.Command, *report.Findings) error) error {
	found := &report.Findings{Command: cmd.Name(), VarFiles: a.varFiles}
	if filepath.IsLocal(a.dir) {
		found.Dir = filepath.ToSlash(a.dir)
	}
	err := do(cmd, found)
	if len(a.reports) == 0 {
		return err
	}
	foundError(found, err)
	if !found.Any() {
		fmt.Fprintln(cmd.ErrOrStderr(), "Note: no report is written, since nothing was found out.") // a note
		return err
	}
	found.At, found.ExitCode = time.Now(), exitCode(err)
	if found.JSON == nil {
		doc := errorDoc{FormatVersion: formatVersion, Errors: some(found.Errors), Diagnostics: found.Diagnostics, ExitCode: found.ExitCode}
		if doc.Diagnostics == nil {
			doc.Diagnostics = []diff.Diagnostic{}
		}
		found.JSON = func(w io.Writer) error { return printJSON(w, doc) }
	}
	errs := []error{err}
	for _, value := range a.reports {
		kind, file, _ := parseReport(value) // checked before
		if err := report.WriteFile(file, func(w io.Writer) error { return report.Write(w, kind, found) }); err != nil {
			errs = append(errs, fmt.Errorf("leaving the %s report: %w", kind, err))
		}
	}
	return errors.Join(errs...)
}

// foundError adds why the command failed: a plan that is none, brokers that
// cannot be reached, or anything else.
func foundError(found *report.Findings, err error) {
	var invalid *invalidError
	var broken *migration.BrokenError
	switch {
	case errors.As(err, &invalid):
		found.Diagnostics = diff.Diagnostics(invalid.diags)
		found.Text = diagnosed(invalid.sources, invalid.diags)
	case errors.As(err, &broken):
		found.Checks = broken.Checks
	}
	if err == nil || err.Error() == "" || !found.Any() {
		return
	}
	said := strings.Split(err.Error(), "\n")
	if found.Outcome == "" && found.Command != "verify" {
		found.JSON = nil // as with --json, the document is that of the error
	}
	found.Errors = append(found.Errors, said...)
	found.Text = texts(found.Text, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Error: %s\n", strings.Join(said, "\n"))
		return err
	})
}

// foundDiff notes what diff and apply show.
func foundDiff(found *report.Findings, r *migration.Assessment, sources *plan.Sources, full bool) {
	doc := r.Doc
	found.Migration, found.Diff, found.Checks, found.Diagnostics = doc.Migration, &doc, doc.Checks, doc.Diagnostics
	found.Text = texts(diagnosed(sources, r.Diagnostics), func(w io.Writer) error { return report.DiffText(w, doc, report.Options{Full: full}) })
	found.JSON = func(w io.Writer) error { return report.DiffJSON(w, doc) }
}

// foundVerdicts notes what verify has judged.
func foundVerdicts(found *report.Findings, doc verifyDoc) {
	found.Migration, found.Checks = doc.Migration, doc.Checks
	found.Text = func(w io.Writer) error { return report.VerifyText(w, doc.Verdicts) }
	found.JSON = func(w io.Writer) error { return printJSON(w, doc) }
}

// foundOutcome notes how an apply ended; ran is false where there was nothing
// to do.
func (a *app) foundOutcome(found *report.Findings, doc applyDoc, ran bool) {
	found.Diff, found.Checks, found.Diagnostics = &doc.Diff, doc.Diff.Checks, doc.Diff.Diagnostics
	found.Outcome = doc.Outcome
	found.Errors = append(slices.Clone(doc.Errors), doc.Stranded...)
	for _, p := range doc.Parked {
		text := p.Address + ": " + p.Instruction
		for _, c := range p.Conditions {
			if !c.Met && c.Command != "" {
				text += "; " + c.Command
			}
		}
		if len(p.Conditions) == 0 {
			text += "; when it is done: " + p.Command
		}
		found.Waiting = append(found.Waiting, text)
	}
	if by := doc.Paused; by != nil {
		found.Waiting = append(found.Waiting, fmt.Sprintf("paused by %s from %s; first: %s", by.Who, by.From, a.command("resume")))
	}
	found.JSON = func(w io.Writer) error { return printJSON(w, doc) }
	if ran {
		found.Steps = &report.Steps{Done: doc.Done, Total: doc.Total}
		found.Text = texts(found.Text, func(w io.Writer) error { return a.conclude(w, doc) })
	}
}

// texts joins what is shown one after the other.
func texts(parts ...func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, write := range parts {
			if write == nil {
				continue
			}
			if err := write(w); err != nil {
				return err
			}
		}
		return nil
	}
}

// diagnosed writes diagnostics without colours.
func diagnosed(sources *plan.Sources, diags hcl.Diagnostics) func(io.Writer) error {
	return func(w io.Writer) error {
		var b bytes.Buffer
		if err := plan.WriteDiagnostics(&b, sources, diags, false); err != nil {
			return err
		}
		_, err := w.Write(b.Bytes())
		return err
	}
}

// invalidError says that the plan's files have errors, which have been said.
type invalidError struct {
	diags   hcl.Diagnostics
	sources *plan.Sources
}

func (*invalidError) Error() string { return "" }
