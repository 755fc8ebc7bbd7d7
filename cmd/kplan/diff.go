package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kplan/internal/migration"
	"kplan/internal/report"
)

func newDiff(a *app) *cobra.Command {
	var full, detailed bool
	var out string
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what apply would change and run; reads both clusters and writes to neither",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.reported(cmd, func(cmd *cobra.Command, found *report.Findings) error {
				return a.onScene(cmd, func(s scene) error { return a.diff(cmd, s, found, full, detailed, out) })
			})
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "list every object instead of counting equal ones")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 when there is anything to change, any drift or any pending step")
	cmd.Flags().StringVar(&out, "out", "", "save what is shown, for apply FILE")
	return cmd
}

func (a *app) diff(cmd *cobra.Command, s scene, found *report.Findings, full, detailed bool, out string) error {
	r, err := migration.Assess(cmd.Context(), s.plan, s.clusters, s.state)
	if err != nil {
		return err
	}
	foundDiff(found, r, s.sources, full)
	if err := a.say(cmd.ErrOrStderr(), s.sources, r.Diagnostics); err != nil {
		return err
	}
	if err := a.writeDiff(cmd.OutOrStdout(), r, full); err != nil {
		return err
	}
	if err := migration.Continues(s.state, s.plan, r.Graph); err != nil {
		return err
	}
	if out != "" && !r.Diagnostics.HasErrors() {
		if err := save(out, r.Saved(s.plan, s.state, author(), time.Now())); err != nil {
			return err
		}
	}
	switch {
	case r.Diagnostics.HasErrors(), len(migration.Lacking(r.Doc.Checks)) > 0, r.Doc.Summary.Rejected > 0:
		return &codedError{code: exitError}
	case detailed && (!r.Doc.Empty() || r.Doc.Drift()):
		return &codedError{code: exitDifferences}
	}
	return nil
}

func (a *app) writeDiff(w io.Writer, r *migration.Assessment, full bool) error {
	if a.json {
		return report.DiffJSON(w, r.Doc)
	}
	return report.DiffText(w, r.Doc, report.Options{Full: full, Color: a.colored(w)})
}

// save writes a reviewed diff to a file, whole or not at all.
func save(path string, saved *migration.Saved) error {
	if err := mayReplace(path); err != nil {
		return err
	}
	if err := report.Replace(path, savedMode, saved.Write); err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	return nil
}

// savedMode is that of saved plans: they hold no secrets, and say everything
// about the clusters.
const savedMode = 0o600

// mayReplace refuses to write over anything but an earlier saved plan: a slip of
// the hand must not cost the plan's own files.
func mayReplace(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	if data, err := os.ReadFile(path); info.Mode().IsRegular() && err == nil && (len(data) == 0 || migration.IsSaved(data)) {
		return nil
	}
	return fmt.Errorf("saving the plan: %s is there and is no saved plan. Give another name, or remove it first", path)
}
