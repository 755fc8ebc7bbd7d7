package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// TestRender compares the full text of some bad plans. Those of
// testdata/render itself show what the errors' fixtures do not: tabs, long
// lines, several lines, signs that steer a terminal.
func TestRender(t *testing.T) {
	fixtures := []string{
		"errors/clusters_wrong", "errors/env_and_file", "errors/locals", "errors/missing_blocks",
		"errors/not_built_migration", "errors/password_in_clear", "errors/patterns", "errors/sasl",
		"errors/syntax_unclosed", "errors/unknown_in_cluster", "errors/variable_types", "errors/version_unreleased",
	}
	own, err := filepath.Glob("testdata/render/*" + PlanSuffix)
	if err != nil || len(own) == 0 {
		t.Fatalf("no fixtures in testdata/render (%v)", err)
	}
	for _, path := range own {
		fixtures = append(fixtures, "render/"+strings.TrimSuffix(filepath.Base(path), PlanSuffix))
	}
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+PlanSuffix)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			loaded := Load(fixtureOptions(t, filepath.Base(path), text))
			checkNoCanary(t, loaded)
			golden(t, "testdata/render/"+filepath.Base(name)+".txt", rendered(t, loaded, false))
		})
	}
}

func TestRenderColor(t *testing.T) {
	text, err := os.ReadFile("testdata/errors/version_unreleased.kplan.hcl")
	if err != nil {
		t.Fatal(err)
	}
	loaded := Load(fixtureOptions(t, "x.kplan.hcl", text))
	got := rendered(t, loaded, true)
	for _, want := range []string{"\x1b[1;33mWarning:\x1b[0m", "\x1b[1mKP1005 Version requirement not checked\x1b[0m", "\x1b[1;31m^^^^^^^^\x1b[0m"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
}

// TestRenderWithoutSources renders what other packages report of a plan whose
// text is not at hand.
func TestRenderWithoutSources(t *testing.T) {
	rng := hcl.Range{Filename: "x.kplan.hcl", Start: hcl.Pos{Line: 7, Column: 3, Byte: 99}, End: hcl.Pos{Line: 7, Column: 9, Byte: 105}}
	diags := hcl.Diagnostics{
		NewDiagnostic("KP2001", hcl.DiagError, "a waits for b waits for a.", &rng),
		NewDiagnostic("KP9999", hcl.DiagWarning, "A code of no table.", nil),
		{Severity: hcl.DiagError, Summary: "Foreign", Detail: "Without a code."},
	}
	var out bytes.Buffer
	if err := WriteDiagnostics(&out, nil, diags, false); err != nil {
		t.Fatal(err)
	}
	want := `Error: KP2001 Services wait for each other
  on x.kplan.hcl line 7
  a waits for b waits for a.

Warning: KP9999 Problem without a description
  A code of no table.

Error: Foreign
  Without a code.
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}
