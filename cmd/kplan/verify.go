package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/spf13/cobra"

	"kplan/checks"
	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/diff"
)

// verifyDoc is the JSON document of verify.
type verifyDoc struct {
	FormatVersion string         `json:"format_version"`
	Migration     string         `json:"migration"`
	Level         string         `json:"level"`
	At            time.Time      `json:"at"`
	Clusters      diff.Clusters  `json:"clusters"`
	Checks        []diff.Check   `json:"checks"`
	Summary       map[string]int `json:"summary"`
	ExitCode      int            `json:"exit_code"`
}

func newVerify(a *app) *cobra.Command {
	var level string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check both clusters against the plan and the state; never writes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			p, _, sources, err := a.load(cmd)
			if err != nil {
				return err
			}
			if level == "" {
				level = p.Migration.Verify.Level
			}
			if level != "config" && level != "offsets" {
				return fmt.Errorf("--level %q: want config or offsets", level)
			}
			c, err := a.open(cmd.Context(), p)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.close()) }()
			dir := a.stateDir(p)
			st, err := state.Read(dir)
			if err != nil {
				return err
			}
			if err := belongs(st, p, c, dir); err != nil {
				return err
			}
			r, err := look(cmd.Context(), p, c, st)
			if err != nil {
				return err
			}
			if err := a.say(cmd.ErrOrStderr(), sources, r.diags); err != nil {
				return err
			}
			doc, err := verify(cmd.Context(), p, c, st, r, level)
			if err != nil {
				return err
			}
			if a.json {
				err = printJSON(cmd.OutOrStdout(), doc)
			} else {
				err = writeVerify(cmd.OutOrStdout(), doc)
			}
			if err == nil && doc.ExitCode != exitDone {
				err = &codedError{code: doc.ExitCode}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&level, "level", "", "config or offsets (default: the plan's)")
	return cmd
}

func verify(ctx context.Context, p *plan.Plan, c *clusters, st state.State, r *review, level string) (verifyDoc, error) {
	doc := verifyDoc{
		FormatVersion: formatVersion, Migration: p.Migration.Name, Level: level, At: r.doc.ReadAt.UTC(), Clusters: r.doc.Clusters,
		Checks: append([]diff.Check{}, r.doc.Checks...), Summary: map[string]int{},
	}
	doc.Checks = append(doc.Checks, checks.Parity(r.selection.Topics, r.doc.Changes, r.doc.Checks)...)
	doc.Checks = append(doc.Checks, checks.FromDiagnostics(r.doc.Diagnostics)...)
	if level == "offsets" {
		bounds, err := executor.Boundaries(st, r.selection.Topics)
		if err != nil {
			return doc, err
		}
		observed := checks.Observed{Migration: p.Migration, Source: r.source, Target: r.target, Sides: st, Boundary: bounds}
		doc.Checks = append(doc.Checks, checks.Positions(ctx, observed, c.source)...)
	}
	doc.Checks = diff.Waive(p.Migration, doc.Checks)
	for _, check := range doc.Checks {
		verdict := string(check.Verdict)
		if check.Waived != "" {
			verdict = "waived"
		}
		doc.Summary[verdict]++
	}
	switch {
	case doc.Summary[string(diff.Fail)] > 0:
		doc.ExitCode = exitDifferences
	case doc.Summary[string(diff.Error)]+doc.Summary[string(diff.Unknown)] > 0:
		doc.ExitCode = exitInconclusive
	}
	return doc, nil
}

func writeVerify(w io.Writer, doc verifyDoc) error {
	var b strings.Builder
	table := tablewriter.NewWriter(&b)
	table.Header("verdict", "check", "object", "saw")
	for _, c := range doc.Checks {
		verdict := strings.ToUpper(string(c.Verdict))
		if c.Waived != "" {
			verdict = "waived"
		}
		if err := table.Append(verdict, c.Name, c.Object.Name, c.Saw); err != nil {
			return fmt.Errorf("writing the checks: %w", err)
		}
	}
	if len(doc.Checks) > 0 {
		if err := table.Render(); err != nil {
			return fmt.Errorf("writing the checks: %w", err)
		}
	}
	for _, c := range doc.Checks {
		switch {
		case c.Waived != "":
			fmt.Fprintf(&b, "waived: %s %s: %s\n", c.Name, c.Object.Name, c.Waived)
		case c.Verdict != diff.Pass && c.Advice != "":
			fmt.Fprintf(&b, "%s %s: %s.\n", c.Name, c.Object.Name, strings.TrimSuffix(c.Advice, "."))
		}
	}
	fmt.Fprintf(&b, "%s at level %s: %d pass, %d fail, %d unknown, %d error, %d waived.\n", doc.Migration, doc.Level,
		doc.Summary["pass"], doc.Summary["fail"], doc.Summary["unknown"], doc.Summary["error"], doc.Summary["waived"])
	_, err := io.WriteString(w, b.String())
	return err
}
