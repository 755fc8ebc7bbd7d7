package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"kplan/internal/migration"
	"kplan/internal/report"
	"kplan/plan"
	"kplan/plan/diff"
)

type validateDoc struct {
	FormatVersion string            `json:"format_version"`
	Valid         bool              `json:"valid"`
	Migration     string            `json:"migration,omitempty"`
	PlanHash      string            `json:"plan_hash,omitempty"`
	Diagnostics   []diff.Diagnostic `json:"diagnostics"`
}

func newValidate(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the files of the plan; asks no cluster",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.reported(cmd, a.validate) },
	}
}

func (a *app) validate(cmd *cobra.Command, found *report.Findings) error {
	loaded, err := a.tryLoad()
	if err != nil {
		return err
	}
	diags := loaded.Diags
	if loaded.Plan != nil {
		_, more := migration.OfflineGraph(loaded.Plan)
		diags = append(diags, more...)
		plan.SortDiagnostics(diags)
	}
	doc := validateDoc{FormatVersion: formatVersion, Valid: !diags.HasErrors(), Diagnostics: diff.Diagnostics(diags)}
	verdict := ""
	if loaded.Plan != nil {
		doc.Migration, doc.PlanHash = loaded.Plan.Migration.Name, loaded.Plan.Hash()
		verdict = fmt.Sprintf("The plan is valid: migration %q, %s.\n", doc.Migration, loaded.Plan.Migration.Scheme.Kind)
	}
	if !doc.Valid {
		verdict = ""
	}
	found.Migration, found.Diagnostics = doc.Migration, doc.Diagnostics
	found.JSON = func(w io.Writer) error { return printJSON(w, doc) }
	found.Text = texts(diagnosed(loaded.Sources, diags), func(w io.Writer) error {
		_, err := io.WriteString(w, verdict)
		return err
	})
	if a.json {
		if err := printJSON(cmd.OutOrStdout(), doc); err != nil {
			return err
		}
	} else if err := a.say(cmd.ErrOrStderr(), loaded.Sources, diags); err != nil {
		return err
	}
	if !doc.Valid {
		return &codedError{code: exitError}
	}
	if a.json {
		return nil
	}
	_, err = io.WriteString(cmd.OutOrStdout(), verdict)
	return err
}
