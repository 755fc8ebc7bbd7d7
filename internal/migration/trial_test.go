package migration

import (
	"testing"

	"kplan/internal/cluster"
)

// What is asked of the disks before a load is written to them. That it is asked
// is for probe_conformance.txtar to see.
func TestLoadFits(t *testing.T) {
	node := func(usable int64) cluster.Node { return cluster.Node{Disk: cluster.Disk{Usable: usable}} }
	for name, c := range map[string]struct {
		nodes    []cluster.Node
		bytes    float64
		replicas int16
		fits     bool
	}{
		"little":               {[]cluster.Node{node(1000), node(1000)}, 99, -1, true},
		"too much":             {[]cluster.Node{node(1000), node(1000)}, 101, -1, false},
		"spread":               {[]cluster.Node{node(1000), node(1000)}, 199, 1, true},
		"spread, too much":     {[]cluster.Node{node(1000), node(1000)}, 201, 1, false},
		"one broker is full":   {[]cluster.Node{node(1000), node(10)}, 99, 2, false},
		"brokers tell nothing": {[]cluster.Node{node(-1), {NoDisk: "refused"}}, 1 << 40, 3, true},
		"no broker":            {nil, 1, 1, true},
	} {
		if err := fits(c.nodes, c.bytes, c.replicas); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Taken out: naming scratch topics where the document is not shown.
func TestLeftOverIsNamed(t *testing.T) {
	conformed, load := []Conformed{{Conformance: cluster.Conformance{Cluster: "old", Topic: "a"}}}, &Borne{}
	if err := LeftOver(conformed, load); err != nil {
		t.Errorf("nothing is left: %v", err)
	}
	conformed[0].Left = "gone away"
	const want = "the scratch topic a is still there on cluster old (gone away). Delete it with kafka-topics --delete --topic a"
	if err := LeftOver(conformed, load); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	load.Load = cluster.Load{Cluster: "new", Topic: "b", Left: "refused"}
	const both = want + "\nthe scratch topic b is still there on cluster new (refused). Delete it with kafka-topics --delete --topic b"
	if err := LeftOver(conformed, load); err == nil || err.Error() != both {
		t.Errorf("%v", err)
	}
}
