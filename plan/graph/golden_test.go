package graph_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"kplan/plan/graph"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// Each golden holds a plan in shorthand and the views of its graph that it
// wants to see.
func TestGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in := parse(t, string(archive.Files[0].Data))
			g, diags := in.build()
			changed := false
			for i, want := range archive.Files[1:] {
				got := view(t, want.Name, g, render(diags))
				if d := cmp.Diff(string(want.Data), got); d != "" {
					changed = true
					if !*update {
						t.Errorf("%s (-want +got):\n%s", want.Name, d)
					}
					archive.Files[i+1].Data = []byte(got)
				}
			}
			if changed && *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func view(t *testing.T, name string, g *graph.Graph, diags string) string {
	t.Helper()
	var out bytes.Buffer
	var err error
	switch {
	case name == "diagnostics":
		return diags
	case g == nil:
		return "no graph\n"
	case name == "graph":
		return g.DebugRepr()
	case name == "text":
		err = g.WriteText(&out)
	case name == "dot":
		err = g.WriteDOT(&out)
	case name == "mermaid":
		err = g.WriteMermaid(&out)
	default:
		t.Fatalf("no view %q", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Every kind of step but a gate, which goes by its address everywhere, has a title
// of its own, and each is seen in a golden.
func TestEveryKindIsDrawn(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var goldens []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		goldens = append(goldens, text...)
	}
	for _, kind := range graph.Kinds() {
		step := graph.Step{Address: "an.address", Kind: kind}
		if kind != graph.Gate && bytes.Contains([]byte(step.Title()), []byte(step.Address)) {
			t.Errorf("%s has no title of its own", kind)
		}
		if !bytes.Contains(goldens, []byte(" "+string(kind)+" ")) && !bytes.Contains(goldens, []byte(" "+string(kind)+"\n")) {
			t.Errorf("%s is in no golden", kind)
		}
	}
}
