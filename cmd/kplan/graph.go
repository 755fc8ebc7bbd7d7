package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"kplan/internal/migration"
	"kplan/plan/graph"
)

// graphDoc is the JSON document of graph.
type graphDoc struct {
	FormatVersion string        `json:"format_version"`
	Migration     string        `json:"migration"`
	Scheme        string        `json:"scheme"`
	Waves         []graph.Wave  `json:"waves"`
	Steps         []*graph.Step `json:"steps"`
}

func newGraph(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw the steps of the migration from the files alone: text, dot or mermaid",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, _, sources, err := a.load(cmd)
			if err != nil {
				return err
			}
			g, diags := migration.OfflineGraph(p)
			if err := a.say(cmd.ErrOrStderr(), sources, diags); err != nil {
				return err
			}
			if g == nil {
				return &codedError{code: exitError}
			}
			out := cmd.OutOrStdout()
			if a.json {
				return printJSON(out, graphDoc{FormatVersion: formatVersion, Migration: p.Migration.Name, Scheme: string(p.Migration.Scheme.Kind), Waves: g.Waves, Steps: g.Steps})
			}
			switch format {
			case "text":
				return g.WriteText(out)
			case "dot":
				return g.WriteDOT(out)
			case "mermaid":
				return g.WriteMermaid(out)
			default:
				return fmt.Errorf("--format %q: want text, dot or mermaid", format)
			}
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, dot or mermaid")
	return cmd
}
