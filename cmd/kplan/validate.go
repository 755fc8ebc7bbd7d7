package main

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := a.tryLoad()
			if err != nil {
				return err
			}
			diags := loaded.Diags
			if loaded.Plan != nil {
				_, more := offlineGraph(loaded.Plan)
				diags = append(diags, more...)
				plan.SortDiagnostics(diags)
			}
			doc := validateDoc{FormatVersion: formatVersion, Valid: !diags.HasErrors(), Diagnostics: diff.Diagnostics(diags)}
			if loaded.Plan != nil {
				doc.Migration, doc.PlanHash = loaded.Plan.Migration.Name, loaded.Plan.Hash()
			}
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
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The plan is valid: migration %q, %s.\n", doc.Migration, loaded.Plan.Migration.Scheme.Kind)
			return err
		},
	}
}

// offlineGraph builds the graph from the files alone.
func offlineGraph(p *plan.Plan) (*graph.Graph, hcl.Diagnostics) {
	var sel graph.Selection
	return graph.Build(p.Migration, sel, graph.Sides{}, graph.Everywhere(p.Migration, sel, cluster.Target))
}
