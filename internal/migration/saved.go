package migration

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/diff"
)

// Author is the person, the machine and the kplan that something is recorded for.
type Author struct {
	Who, Host string
	Version   string // of kplan
}

// Saved is what diff --out writes: what was shown, and how everything that it
// touches looked then. It holds no secrets. Its format version is that of the diff:
// what an earlier kplan would take for something else it refuses.
type Saved struct {
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

// Saved returns the assessment as it is saved, for a plan and a state.
func (r *Assessment) Saved(p *plan.Plan, st state.State, by Author, now time.Time) *Saved {
	return &Saved{
		FormatVersion: diff.FormatVersion, Kplan: by.Version, MadeAt: now.UTC().Truncate(time.Second), Who: by.Who, Host: by.Host,
		PlanHash: p.Hash(), Serial: st.Serial, Fingerprint: diff.Fingerprint(r.Source, r.Target, p.Migration), Diff: r.Doc,
	}
}

// Write writes it as JSON.
func (s *Saved) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("writing the saved plan: %w", err)
	}
	return nil
}

// IsSaved reports whether a file's bytes are a saved plan, of whatever version.
func IsSaved(data []byte) bool {
	var earlier Saved
	return json.Unmarshal(data, &earlier) == nil && earlier.PlanHash != ""
}

// ReadSaved reads a saved plan.
func ReadSaved(path string) (*Saved, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the saved plan: %w", err)
	}
	var saved Saved
	if err := json.Unmarshal(data, &saved); err != nil || saved.PlanHash == "" {
		return nil, fmt.Errorf("%s is not a saved plan: make one with kplan diff --out %s", path, path)
	}
	if saved.FormatVersion != diff.FormatVersion { // its changes and notes would be taken for something else
		return nil, fmt.Errorf("%s has format version %s, and this kplan knows %s: make it anew with kplan diff --out", path, saved.FormatVersion, diff.FormatVersion)
	}
	return &saved, nil
}

// Fits returns a *StaleError where the saved plan is not what the files and the
// state say now, or is older than maxAge; zero: any age.
func (s *Saved) Fits(p *plan.Plan, st state.State, maxAge time.Duration, now time.Time) error {
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
	return stale(moved)
}

// Still returns a *StaleError where something has moved on the clusters since the
// plan was saved.
func (s *Saved) Still(r *Assessment, p *plan.Plan) error {
	return stale(diff.Moved(s.Fingerprint, diff.Fingerprint(r.Source, r.Target, p.Migration)))
}

func stale(moved []string) error {
	if len(moved) == 0 {
		return nil
	}
	return &StaleError{What: "the saved plan is stale", Moved: moved}
}
