package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// FuzzLoad feeds texts to Load as a plan and as a file of values. It must not
// panic, must tell a plan from errors, must be able to render what it says,
// and must not show what env() returns.
func FuzzLoad(f *testing.F) {
	for _, glob := range []string{"testdata/errors/*", "testdata/good/*.hcl", "testdata/render/*.hcl"} {
		paths, err := filepath.Glob(glob)
		if err != nil || len(paths) == 0 {
			f.Fatalf("no seeds in %s (%v)", glob, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text), "ns = \"x\"")
		}
	}
	for _, text := range hiddenPlans() {
		f.Add(text, text)
	}
	dir := f.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/files")); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, plan, values string) {
		for name, text := range map[string]string{"x" + PlanSuffix: plan, "x" + AutoSuffix: values} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		const secret = "s3cret-of-the-environment"
		loaded := Load(Options{Dir: dir, Vars: map[string]string{"ns": values}, Version: "1.0.0", Environ: func(k string) (string, bool) {
			return secret, k != "NOT_THERE" && !strings.HasPrefix(k, VarEnvPrefix)
		}})
		if (loaded.Plan == nil) != loaded.Diags.HasErrors() {
			t.Errorf("Plan is nil: %v, errors: %v", loaded.Plan == nil, loaded.Diags.HasErrors())
		}
		var out bytes.Buffer
		if err := WriteDiagnostics(&out, loaded.Sources, loaded.Diags, true); err != nil {
			t.Error(err)
		}
		for _, d := range loaded.Diags {
			if _, known := CodeInfoOf(CodeOf(d)); !known {
				t.Errorf("no code: %s", oneLine(d))
			}
			if d.Severity == hcl.DiagError && d.Detail == "" {
				t.Errorf("no detail: %s", oneLine(d))
			}
		}
		shown := out.String()
		if loaded.Plan != nil {
			loaded.Plan.Hash()
			shown += loaded.Plan.describe()
		}
		if strings.Contains(shown, secret) && !strings.Contains(plan+values, "nonsensitive") && !strings.Contains(plan+values, secret) {
			t.Errorf("the environment is shown:\n%s", shown)
		}
	})
}
