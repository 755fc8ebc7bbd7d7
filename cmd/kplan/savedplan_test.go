package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
		_, err := readSaved(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("a diff of format version %s: %v", diffVersion, err)
		}
	}
}
