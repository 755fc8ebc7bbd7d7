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
	"kplan/internal/report"
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
	var record bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check both clusters against the plan and the state; never writes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if level != "" && level != "config" && level != "offsets" {
				return fmt.Errorf("--level %q: want config or offsets", level)
			}
			return a.reported(cmd, func(cmd *cobra.Command, found *report.Findings) error {
				return a.onScene(cmd, func(s scene) error {
					if level == "" {
						level = s.plan.Migration.Verify.Level
					}
					if wants := s.plan.Migration.Verify.Level; record && level == "config" && wants != level {
						return fmt.Errorf("--record with --level config: a gate relies on the plan's level, %s. Leave --level out", wants)
					}
					doc, err := a.verify(cmd, s, level)
					if err != nil {
						return err
					}
					foundVerdicts(found, doc)
					if a.json {
						err = printJSON(cmd.OutOrStdout(), doc)
					} else {
						err = writeVerify(cmd.OutOrStdout(), doc)
					}
					if err == nil && record {
						err = a.recordVerified(cmd, s, doc)
					}
					if err == nil && doc.ExitCode != exitDone {
						err = &codedError{code: doc.ExitCode}
					}
					return err
				})
			})
		},
	}
	cmd.Flags().BoolVar(&record, "record", false, "leave the verdict in the inbox of the state, for a gate that wants a fresh one")
	cmd.Flags().StringVar(&level, "level", "", "config or offsets (default: the plan's)")
	return cmd
}

// recordVerified leaves the verdict for a gate.
func (a *app) recordVerified(cmd *cobra.Command, s scene, doc verifyDoc) error {
	id, err := newRequestID()
	if err != nil {
		return err
	}
	r := state.Request{ID: id, Verb: state.VerbVerified, Value: executor.VerifiedPass, PlanHash: s.plan.Hash(), At: doc.At}
	if doc.ExitCode != exitDone {
		r.Value = fmt.Sprintf("exit code %d", doc.ExitCode)
	}
	r.Who, r.From = whoami()
	return s.backend.Put(cmd.Context(), r)
}

// verify looks at both clusters and judges. Where a broker keeps a cluster from
// being read, that is the finding, and nothing else is asked.
func (a *app) verify(cmd *cobra.Command, s scene, level string) (verifyDoc, error) {
	m, c := s.plan.Migration, s.clusters
	doc := verifyDoc{
		FormatVersion: formatVersion, Migration: m.Name, Level: level, At: time.Now().UTC(), Summary: map[string]int{},
		Clusters: diff.Clusters{
			Source: diff.ClusterRef{Name: m.Source.Name, ID: c.source.ClusterID()},
			Target: diff.ClusterRef{Name: m.Target.Name, ID: c.target.ClusterID()},
		},
	}
	r, err := look(cmd.Context(), s.plan, c, s.state)
	var broken *brokenError
	switch {
	case errors.As(err, &broken):
		doc.Checks = broken.checks
	case err != nil:
		return doc, err
	default:
		if err := a.say(cmd.ErrOrStderr(), s.sources, r.diags); err != nil {
			return doc, err
		}
		doc.At = r.doc.ReadAt.UTC()
		if doc.Checks, err = judge(cmd.Context(), s, r, level); err != nil {
			return doc, err
		}
	}
	doc.Checks = diff.Waive(m, doc.Checks)
	doc.Summary, doc.ExitCode = tally(doc.Checks)
	if doc.ExitCode == exitDone && broken != nil {
		doc.ExitCode = exitInconclusive
	}
	return doc, nil
}

// tally counts the verdicts, waived ones apart, and says how the command ends.
func tally(all []diff.Check) (map[string]int, int) {
	sum := map[string]int{}
	for _, check := range all {
		verdict := string(check.Verdict)
		if check.Waived != "" {
			verdict = "waived"
		}
		sum[verdict]++
	}
	switch {
	case sum[string(diff.Fail)] > 0:
		return sum, exitDifferences
	case sum[string(diff.Error)]+sum[string(diff.Unknown)] > 0:
		return sum, exitInconclusive
	}
	return sum, exitDone
}

// judge asks what the level asks.
func judge(ctx context.Context, s scene, r *review, level string) ([]diff.Check, error) {
	all := append([]diff.Check{}, r.doc.Checks...)
	all = append(all, checks.Parity(r.selection.Topics, r.doc.Changes, r.doc.Checks)...)
	all = append(all, checks.Access(r.differ, r.doc.Changes, r.doc.Checks)...)
	all = append(all, checks.FromDiagnostics(r.doc.Diagnostics)...)
	all = append(all, standingFences(r.access[0], s.state)...)
	if level == "offsets" {
		bounds, err := executor.Boundaries(s.state, r.selection.Topics)
		if err != nil {
			return nil, err
		}
		finals, err := executor.FinalPositions(s.state, r.selection.Groups)
		if err != nil {
			return nil, err
		}
		observed := checks.Observed{Migration: r.plan.Migration, Source: r.source, Target: r.target, Sides: s.state, Boundary: bounds, Final: finals}
		all = append(all, checks.Positions(ctx, observed, s.clusters.source)...)
	}
	return all, nil
}

func writeVerify(w io.Writer, doc verifyDoc) error {
	var b strings.Builder
	if err := writeChecks(&b, doc.Checks); err != nil {
		return err
	}
	fmt.Fprintf(&b, "%s at level %s: %d pass, %d fail, %d unknown, %d error, %d waived.\n", doc.Migration, doc.Level,
		doc.Summary["pass"], doc.Summary["fail"], doc.Summary["unknown"], doc.Summary["error"], doc.Summary["waived"])
	_, err := io.WriteString(w, b.String())
	return err
}

// writeChecks writes a table of the checks, and below it what to do about those
// that do not pass.
func writeChecks(b *strings.Builder, all []diff.Check) error {
	table := tablewriter.NewWriter(b)
	table.Header("verdict", "check", "object", "saw")
	for _, c := range all {
		verdict := strings.ToUpper(string(c.Verdict))
		if c.Waived != "" {
			verdict = "waived"
		}
		if err := table.Append(verdict, c.Name, c.Object.Name, c.Saw); err != nil {
			return fmt.Errorf("writing the checks: %w", err)
		}
	}
	if len(all) > 0 {
		if err := table.Render(); err != nil {
			return fmt.Errorf("writing the checks: %w", err)
		}
	}
	for _, c := range all {
		switch {
		case c.Waived != "":
			fmt.Fprintf(b, "waived: %s %s: %s\n", c.Name, c.Object.Name, c.Waived)
		case c.Verdict != diff.Pass && c.Advice != "":
			fmt.Fprintf(b, "%s %s: %s.\n", c.Name, c.Object.Name, strings.TrimSuffix(c.Advice, "."))
		}
	}
	return nil
}
