package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/migration"
	"kplan/internal/report"
)

// verifyDoc is the JSON document of verify.
type verifyDoc struct {
	FormatVersion string `json:"format_version"`
	migration.Verdicts
	ExitCode int `json:"exit_code"`
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
						err = report.VerifyText(cmd.OutOrStdout(), doc.Verdicts)
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

// verify looks at both clusters and judges.
func (a *app) verify(cmd *cobra.Command, s scene, level string) (verifyDoc, error) {
	v, err := migration.Verify(cmd.Context(), s.plan, s.clusters, s.state, level, time.Now())
	if err != nil {
		return verifyDoc{}, err
	}
	doc := verifyDoc{formatVersion, v, outcomeCode(v.Outcome)}
	if v.Assessment == nil {
		return doc, nil
	}
	return doc, a.say(cmd.ErrOrStderr(), s.sources, v.Assessment.Diagnostics)
}

// outcomeCode is how a command ends that has judged.
func outcomeCode(o migration.Outcome) int {
	switch o {
	case migration.Differs:
		return exitDifferences
	case migration.Inconclusive:
		return exitInconclusive
	case migration.Passed:
	}
	return exitDone
}
