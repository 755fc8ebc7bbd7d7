package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/plan/graph"
)

// Taken out: a flag that the commands that are printed need, or the quoting. What
// is printed as the way on runs where it is printed: through a shell it comes back
// as a command that kplan takes, for the same plan, and apply without a terminal
// asks nobody.
func TestPrintedCommandsRun(t *testing.T) {
	odd := `it's a "b` + "\n"
	for _, args := range [][]string{
		{"apply"}, {"resume"}, {"pause"}, {"abort"}, {"status"}, {"mirror"}, {"verify", "--record"}, {"state", "list"}, {"withdraw", "1f2e"},
		{"approve", graph.GateAddress("cutover")}, {"approve", graph.GateAddress(odd), "--as", odd}, {"reject", graph.GateAddress("a b")},
		{"done", graph.ServiceAddress("shop", "stop")}, {"done", graph.TopicAddress("orders.events", "boundary")},
		{"done", graph.GroupAddress(odd, "works")},
	} {
		given := &app{self: "kplan", dir: "a b/c", vars: []string{"x=" + odd, "y=$HOME"}, varFiles: []string{"v 1.hcl"}, noInput: true}
		out, err := exec.Command("sh", "-c", `kplan() { for a in "$@"; do printf '%s\0' "$a"; done; }; `+given.command(args...)).Output()
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		a := &app{}
		root := newRoot(a)
		cmd, rest, err := root.Find(words)
		if err != nil {
			t.Errorf("%v: %v", words, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%v: %v", words, err)
			continue
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%v: %v", words, err)
		}
		if d := cmp.Diff([]any{given.dir, given.vars, given.varFiles}, []any{a.dir, a.vars, a.varFiles}); d != "" {
			t.Errorf("%v is for another plan: %s", words, d)
		}
		if args[0] == "apply" && cmd.Flags().Lookup("yes").Value.String() != "true" {
			t.Error("apply would ask where nobody can be asked")
		}
		if want := args[len(args)-1]; len(args) > 1 && !slices.Contains(words, want) {
			t.Errorf("%q became %q", want, words)
		}
	}
}
