package migration

import (
	"testing"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// Taken out: everything but steps. What state list prints, state show takes.
func TestWhatStateListPrintsIsKnown(t *testing.T) {
	st := state.State{
		Steps:  map[string]state.StepState{graph.ServiceAddress("a", "stop"): {Status: state.Done}},
		Topics: map[string]state.Flip{"t": {Side: cluster.Target}}, Owned: map[string]bool{"t": true},
		Settings: map[string]string{graph.GateAddress("go") + ".hold": "1m"},
	}
	seen := map[string]bool{}
	for _, i := range Items(st) {
		if seen[i.Address] {
			t.Errorf("%s is listed twice", i.Address)
		}
		seen[i.Address] = true
		if _, ok := Resolve(i.Address, []string{i.Address}); !ok {
			t.Errorf("%s is not known", i.Address)
		}
	}
	if len(seen) != 4 {
		t.Errorf("listed are %v", seen)
	}
}
