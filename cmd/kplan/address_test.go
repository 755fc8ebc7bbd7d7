package main

import (
	"testing"

	"kplan/executor/state"
	"kplan/internal/cluster"
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
			if got, ok := resolve(typed, known); !ok || got != address {
				t.Errorf("%s is taken for %q, want %s", typed, got, address)
			}
		}
	}
	for _, typed := range []string{"", "gate", "nonsense"} {
		if got, ok := resolve(typed, known); ok {
			t.Errorf("%q is taken for %s", typed, got)
		}
	}
	if got, ok := resolve(`x[ab]`, []string{`x["ab"]`, `x["a\"b"]`, `y`}); ok && got != `x["ab"]` {
		t.Errorf("two are meant, and %s was taken", got)
	}
	p := &plan.Plan{Migration: &plan.Migration{Gates: []*plan.Gate{{Name: "a b"}}}}
	for _, typed := range []string{"a b", graph.GateAddress("a b"), "gate[a b]"} {
		if g, err := gateOf(p, typed); err != nil || g.Name != "a b" {
			t.Errorf("%s: %v, %v", typed, g, err)
		}
	}
}

// Taken out: everything but steps. What state list prints, state show takes.
func TestWhatStateListPrintsIsKnown(t *testing.T) {
	st := state.State{
		Steps:  map[string]state.StepState{graph.ServiceAddress("a", "stop"): {Status: state.Done}},
		Topics: map[string]state.Flip{"t": {Side: cluster.Target}}, Owned: map[string]bool{"t": true},
		Settings: map[string]string{graph.GateAddress("go") + ".hold": "1m"},
	}
	seen := map[string]bool{}
	for _, i := range items(st) {
		if seen[i.Address] {
			t.Errorf("%s is listed twice", i.Address)
		}
		seen[i.Address] = true
		if _, ok := resolve(i.Address, []string{i.Address}); !ok {
			t.Errorf("%s is not known", i.Address)
		}
	}
	if len(seen) != 4 {
		t.Errorf("listed are %v", seen)
	}
}
