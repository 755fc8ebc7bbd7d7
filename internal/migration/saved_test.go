package migration

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kplan/executor/state"
	"kplan/plan"
)

// A saved plan of a kplan whose diff had its notes among the changes is refused,
// with the way out.
func TestSavedPlanOfAnOlderDiff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "saved")
	for diffVersion, want := range map[string]string{"1.0": "make it anew with kplan diff --out", "2.0": ""} {
		text := `{"format_version": "` + diffVersion + `", "plan_hash": "x", "diff": {"format_version": "` + diffVersion + `"}}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadSaved(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("a diff of format version %s: %v", diffVersion, err)
		}
	}
}

// A saved plan is spent, or stale, when the files, the state or the clock have moved.
func TestSavedPlanFits(t *testing.T) {
	p := planned(t, writer)
	r := &Assessment{Plan: p}
	r.Doc.Migration = p.Migration.Name
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	saved := r.Saved(p, state.State{Serial: 7}, Author{Who: "me"}, now)
	other := *p
	renamed := *p.Migration
	renamed.Name = "invoices"
	other.Migration = &renamed
	for name, c := range map[string]struct {
		plan *plan.Plan
		st   state.State
		age  time.Duration // allowed, after an hour
		want string
	}{
		"as it was":          {p, state.State{Serial: 7}, 0, ""},
		"young enough":       {p, state.State{Serial: 7}, 2 * time.Hour, ""},
		"too old":            {p, state.State{Serial: 7}, time.Minute, "is 1h0m0s old, and --max-age allows 1m0s"},
		"other files":        {planned(t, reader, grouped), state.State{Serial: 7}, 0, "the plan's files mean something else now"},
		"another migration":  {&other, state.State{Serial: 7}, 0, `saved for migration "orders", and the files are migration "invoices"`},
		"a state behind it":  {p, state.State{Serial: 9, Who: "she"}, 0, "serial 7 → 9, the last apply was run by she"},
		"everything at once": {planned(t, reader, grouped), state.State{}, time.Minute, "serial 7 → 0"},
	} {
		err := saved.Fits(c.plan, c.st, c.age, now.Add(time.Hour))
		var stale *StaleError
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &stale) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is written is read again, and known from other files.
func TestSavedPlanIsReadAgain(t *testing.T) {
	p := planned(t, writer)
	var b bytes.Buffer
	if err := (&Assessment{Plan: p}).Saved(p, state.State{Serial: 7}, Author{Who: "me", Version: "1"}, time.Now()).Write(&b); err != nil {
		t.Fatal(err)
	}
	if !IsSaved(b.Bytes()) || IsSaved([]byte("migration {}")) || IsSaved([]byte(`{"format_version": "1.0"}`)) {
		t.Error("a saved plan is not told from other files")
	}
}
