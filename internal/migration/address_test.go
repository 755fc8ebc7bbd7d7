package migration

import (
	"testing"

	"kplan/plan"
	"kplan/plan/graph"
)

// Every address that kplan prints is taken as it is printed, and as a shell
// leaves it that was not told to keep the quotation marks; what could mean two is
// not guessed.
func TestAddressesAreTakenAsTheyArePrinted(t *testing.T) {
	var known []string
	for _, name := range []string{"orders.events", "a b", `a"b`, `a\b`, "ü", "cutover"} {
		known = append(known, graph.TopicAddress(name, "boundary"), graph.GroupAddress(name, "works"), graph.GateAddress(name), graph.TopicAddress(name, ""))
	}
	for _, address := range known {
		for _, typed := range []string{address, unquoted(address)} {
			if got, ok := Resolve(typed, known); !ok || got != address {
				t.Errorf("%s is taken for %q, want %s", typed, got, address)
			}
		}
	}
	for _, typed := range []string{"", "gate", "nonsense"} {
		if got, ok := Resolve(typed, known); ok {
			t.Errorf("%q is taken for %s", typed, got)
		}
	}
	if got, ok := Resolve(`x[ab]`, []string{`x["ab"]`, `x["a\"b"]`, `y`}); ok && got != `x["ab"]` {
		t.Errorf("two are meant, and %s was taken", got)
	}
	p := &plan.Plan{Migration: &plan.Migration{Gates: []*plan.Gate{{Name: "a b"}}}}
	for _, typed := range []string{"a b", graph.GateAddress("a b"), "gate[a b]"} {
		if g, err := (Requests{Plan: p}).gate(typed); err != nil || g.Name != "a b" {
			t.Errorf("%s: %v, %v", typed, g, err)
		}
	}
}
