package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"kplan/executor/state"
	"kplan/internal/report"
	"kplan/plan"
	"kplan/plan/diff"
)

// savedPlan is what diff --out writes: what was shown, and how everything that
// it touches looked then. It holds no secrets. Its format version is that of the
// diff: what an earlier kplan would take for something else it refuses.
type savedPlan struct {
	FormatVersion string            `json:"format_version"`
	Kplan         string            `json:"kplan"`
	MadeAt        time.Time         `json:"made_at"`
	Who           string            `json:"who"`
	Host          string            `json:"host"`
	PlanHash      string            `json:"plan_hash"`
	Serial        int64             `json:"state_serial"`
	Fingerprint   map[string]string `json:"fingerprint"`
	Diff          diff.Doc          `json:"diff"`
}

// save writes the reviewed diff to a file, whole or not at all.
func (r *review) save(path string, p *plan.Plan, st state.State) error {
	who, host := whoami()
	saved := savedPlan{
		FormatVersion: diff.FormatVersion, Kplan: version, MadeAt: time.Now().UTC().Truncate(time.Second), Who: who, Host: host,
		PlanHash: p.Hash(), Serial: st.Serial, Fingerprint: diff.Fingerprint(r.source, r.target, p.Migration), Diff: r.doc,
	}
	if err := mayReplace(path); err != nil {
		return err
	}
	err := report.Replace(path, savedMode, func(w io.Writer) error { return printJSON(w, saved) })
	if err != nil {
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
	var earlier savedPlan
	if data, err := os.ReadFile(path); info.Mode().IsRegular() && err == nil && (len(data) == 0 || json.Unmarshal(data, &earlier) == nil && earlier.PlanHash != "") {
		return nil
	}
	return fmt.Errorf("saving the plan: %s is there and is no saved plan. Give another name, or remove it first", path)
}

// readSaved reads a saved plan.
func readSaved(path string) (*savedPlan, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the saved plan: %w", err)
	}
	var saved savedPlan
	if err := json.Unmarshal(data, &saved); err != nil || saved.PlanHash == "" {
		return nil, fmt.Errorf("%s is not a saved plan: make one with kplan diff --out %s", path, path)
	}
	if saved.FormatVersion != diff.FormatVersion { // its changes and notes would be taken for something else
		return nil, fmt.Errorf("%s has format version %s, and this kplan knows %s: make it anew with kplan diff --out", path, saved.FormatVersion, diff.FormatVersion)
	}
	return &saved, nil
}

// fits refuses a saved plan that is not what the files and the state say now.
func (s *savedPlan) fits(p *plan.Plan, st state.State, maxAge time.Duration, now time.Time) error {
	var moved []string
	if age := now.Sub(s.MadeAt); maxAge > 0 && age > maxAge {
		moved = append(moved, fmt.Sprintf("the saved plan is %s old, and --max-age allows %s", age.Round(time.Second), maxAge))
	}
	if s.Diff.Migration != p.Migration.Name {
		moved = append(moved, fmt.Sprintf("it was saved for migration %q, and the files are migration %q", s.Diff.Migration, p.Migration.Name))
	} else if s.PlanHash != p.Hash() {
		moved = append(moved, fmt.Sprintf("the plan's files mean something else now: plan %.12s → %.12s", s.PlanHash, p.Hash()))
	}
	if s.Serial != st.Serial {
		moved = append(moved, fmt.Sprintf("the state has moved on: serial %d → %d, the last apply was run by %s", s.Serial, st.Serial, st.Who))
	}
	if len(moved) > 0 {
		return &codedError{code: exitStale, err: &staleError{what: "the saved plan is stale", moved: moved}}
	}
	return nil
}

// still refuses what moved on the clusters since the plan was saved.
func (s *savedPlan) still(r *review, p *plan.Plan) error {
	if moved := diff.Moved(s.Fingerprint, diff.Fingerprint(r.source, r.target, p.Migration)); len(moved) > 0 {
		return &codedError{code: exitStale, err: &staleError{what: "the saved plan is stale", moved: moved}}
	}
	return nil
}
