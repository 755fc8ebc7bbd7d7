package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor/state"
	"kplan/internal/migration"
	"kplan/internal/report"
	"kplan/plan"
)

// statusDoc is the JSON document of status.
type statusDoc struct {
	FormatVersion string `json:"format_version"`
	migration.Status
}

func newStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show where the migration stands, from its state; asks no cluster and takes no lock",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onState(cmd, func(p *plan.Plan, b state.Backend) error {
				doc, err := migration.ReadStatus(cmd.Context(), p, b)
				if err != nil {
					return err
				}
				if doc.Workers, err = a.workersOf(cmd.Context(), p); err != nil {
					return err
				}
				if a.json {
					return printJSON(cmd.OutOrStdout(), statusDoc{formatVersion, doc})
				}
				return report.StatusText(cmd.OutOrStdout(), doc)
			})
		},
	}
}

// workersOf reads what the workers of a plan's mirror have told; nil: it has none.
func (a *app) workersOf(ctx context.Context, p *plan.Plan) (all []migration.StatusWorker, err error) {
	if m := p.Migration.Mirror; m == nil || m.Run != "worker" {
		return nil, nil
	}
	shelf, closeShelf, err := a.shelf(ctx, p, p.State)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeShelf()) }()
	return migration.Workers(ctx, shelf, migration.DeadHere, time.Now())
}

const formatVersion = "1.0"

func printJSON(w io.Writer, doc any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing the JSON document: %w", err)
	}
	return nil
}
